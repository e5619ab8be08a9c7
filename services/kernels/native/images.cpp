// Equality of short uniform strings by a hash table that takes their first eight bytes as the hash.
// They are what a protocol ends with: compared in the clear, by the party that learns the outcome.
#include <bit>
#include <cstring>

#include "kernels.hpp"

namespace coffer {
namespace {

using Rows = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t ahead = 16;  // rows whose place in the table is fetched before it is needed

std::uint64_t prefix(const std::uint8_t* row) {
  std::uint64_t first;
  std::memcpy(&first, row, sizeof first);
  return first;
}

void match_images(OutIndices found, Rows left, Rows right) {
  const std::size_t width = left.shape(1), count = left.shape(0);
  const std::size_t slots = std::bit_ceil(2 * count + 1), mask = slots - 1;
  std::vector<std::int64_t> table(slots, -1);
  const auto home = [&](Rows rows, std::size_t i) { return prefix(&rows(i, 0)) & mask; };
  for (std::size_t i = 0; i < count; ++i) {
    if (i + ahead < count) __builtin_prefetch(&table[home(left, i + ahead)], 1);
    std::size_t slot = home(left, i);
    while (table[slot] >= 0) slot = (slot + 1) & mask;
    table[slot] = static_cast<std::int64_t>(i);
  }
  for (std::size_t j = 0; j < right.shape(0); ++j) {
    if (j + ahead < right.shape(0)) __builtin_prefetch(&table[home(right, j + ahead)]);
    std::size_t slot = home(right, j);
    while (table[slot] >= 0 && std::memcmp(&left(table[slot], 0), &right(j, 0), width) != 0)
      slot = (slot + 1) & mask;
    found(j) = table[slot];
  }
}

}  // namespace

void add_images(nb::module_& m) {
  m.def("match_images", &match_images, nb::arg("found").noconvert(), nb::arg("left").noconvert(),
        nb::arg("right").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
