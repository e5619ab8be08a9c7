// Equality of short uniform strings. They are what a protocol ends with: compared in the clear, by
// the party that learns the outcome.
#include <cstring>

#include "index.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

std::uint64_t prefix(const Rows& rows, std::size_t i) {
  std::uint64_t first;
  std::memcpy(&first, &rows(i, 0), sizeof first);
  return first;
}

Index index_of(const OutWords64& slots) { return Index(slots.data(), slots.shape(0)); }

// Puts all rows into the index; they are unlike.
void index_images(OutWords64 slots, Rows rows) {
  const std::size_t count = rows.shape(0);
  Index index = index_of(slots);
  index.clear();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + Index::ahead < count) index.fetch(prefix(rows, i + Index::ahead));
    const std::uint64_t hash = prefix(rows, i);
    Index::put(index.slot(hash, [](std::int64_t) { return false; }), hash, i);
  }
}

// found[j] = the place among the rows that are in the index of one equal to wanted[j], or -1
void find_images(OutIndices found, OutWords64 slots, Rows rows, Rows wanted) {
  const std::size_t width = rows.shape(1), count = wanted.shape(0);
  Index index = index_of(slots);
  for (std::size_t j = 0; j < count; ++j) {
    if (j + 2 * Index::ahead < count) index.fetch(prefix(wanted, j + 2 * Index::ahead));
    if (j + Index::ahead < count) {
      const std::int64_t guess = index.guess(prefix(wanted, j + Index::ahead));
      if (guess >= 0) __builtin_prefetch(&rows(guess, 0));
    }
    const std::uint64_t slot = index.slot(prefix(wanted, j), [&](std::int64_t place) {
      return std::memcmp(&rows(place, 0), &wanted(j, 0), width) == 0;
    });
    found(j) = Index::place(slot);
  }
}

}  // namespace

void add_images(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("index_images", &index_images, nb::arg("slots").noconvert(), nb::arg("rows").noconvert(),
        unlocked);
  m.def("find_images", &find_images, nb::arg("found").noconvert(), nb::arg("slots").noconvert(),
        nb::arg("rows").noconvert(), nb::arg("wanted").noconvert(), unlocked);
}

}  // namespace coffer
