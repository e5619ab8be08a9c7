// Equality of short uniform strings. They are what a protocol ends with: compared in the clear, by
// the party that learns the outcome.
#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels.hpp"

namespace coffer {
namespace {

// A row's first eight bytes, the next four or as many as there are, and its place.
struct Record {
  std::uint64_t prefix;
  std::uint32_t more, place;
};
constexpr std::size_t recorded = 12;

// Records in buckets by their top bits: bucket b ends at ends[b].
struct Buckets {
  Record* records;
  std::vector<std::size_t> ends;

  Buckets(const OutBlocks& memory, const Rows& rows, int bits)
      : records(reinterpret_cast<Record*>(memory.data())), ends((std::size_t{1} << bits) + 1) {
    const std::size_t count = rows.shape(0);
    const auto bucket = [bits](std::uint64_t prefix) { return prefix >> 1 >> (63 - bits); };
    for (std::size_t i = 0; i < count; ++i) ++ends[bucket(record(rows, i).prefix) + 1];
    for (std::size_t b = 1; b < ends.size(); ++b) ends[b] += ends[b - 1];
    for (std::size_t i = 0; i < count; ++i) {  // which moves each bucket's start to its end
      const Record found = record(rows, i);
      records[ends[bucket(found.prefix)]++] = found;
    }
  }

  static Record record(const Rows& rows, std::size_t i) {
    Record found{0, 0, static_cast<std::uint32_t>(i)};
    const std::uint8_t* const row = &rows(i, 0);
    std::memcpy(&found.prefix, row, sizeof found.prefix);
    std::memcpy(&found.more, row + sizeof found.prefix,
                std::min(rows.shape(1), recorded) - sizeof found.prefix);
    return found;
  }

  std::size_t start(std::size_t bucket) const { return bucket == 0 ? 0 : ends[bucket - 1]; }
};

// found[j] = the place in left of a row equal to right[j], or -1, for the rows of one bucket: by a
// hash table of those on the left.
void match_bucket(std::int64_t* found, const Buckets& left, const Rows& left_rows,
                  const Buckets& right, const Rows& right_rows, std::size_t bucket) {
  const std::size_t width = left_rows.shape(1), start = left.start(bucket);
  const std::size_t slots = std::bit_ceil(2 * (left.ends[bucket] - start) + 1), mask = slots - 1;
  std::vector<std::uint32_t> table(slots, 0);  // each a place in the bucket plus one
  for (std::size_t i = start; i < left.ends[bucket]; ++i) {
    std::size_t slot = left.records[i].prefix & mask;
    while (table[slot] != 0) slot = (slot + 1) & mask;
    table[slot] = static_cast<std::uint32_t>(i - start + 1);
  }
  const auto equal = [&](const Record& a, const Record& b) {
    return a.prefix == b.prefix && a.more == b.more &&
           (width <= recorded ||
            std::memcmp(&left_rows(a.place, recorded), &right_rows(b.place, recorded),
                        width - recorded) == 0);
  };
  for (std::size_t j = right.start(bucket); j < right.ends[bucket]; ++j) {
    const Record& wanted = right.records[j];
    std::size_t slot = wanted.prefix & mask;
    while (table[slot] != 0 && !equal(left.records[start + table[slot] - 1], wanted))
      slot = (slot + 1) & mask;
    found[wanted.place] =
        table[slot] == 0 ? -1 : std::int64_t{left.records[start + table[slot] - 1].place};
  }
}

void match_images(OutIndices found, OutBlocks scratch_left, OutBlocks scratch_right, Rows left,
                  Rows right, unsigned threads) {
  // So many that the records of a bucket and their table stay in the cache.
  const int bits = std::clamp(static_cast<int>(std::bit_width(left.shape(0))) - 12, 0, 12);
  const Buckets ours(scratch_left, left, bits), theirs(scratch_right, right, bits);
  for_each_block<8>(std::size_t{1} << bits, threads, [&](std::size_t first, std::size_t count) {
    for (std::size_t bucket = first; bucket < first + count; ++bucket)
      match_bucket(found.data(), ours, left, theirs, right, bucket);
  });
}

}  // namespace

void add_images(nb::module_& m) {
  m.def("match_images", &match_images, nb::arg("found").noconvert(),
        nb::arg("scratch_left").noconvert(), nb::arg("scratch_right").noconvert(),
        nb::arg("left").noconvert(), nb::arg("right").noconvert(), nb::arg("threads"),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
