// Equality within a column of uniform hashes, by a hash table that takes their first word as place.
#include <bit>

#include "kernels.hpp"

namespace coffer {
namespace {

constexpr std::size_t ahead = 16;  // hashes whose place is fetched before it is needed

void first_of_each(OutIndices found, Blocks hashes) {
  const std::size_t count = hashes.shape(0);
  const std::size_t slots = std::bit_ceil(2 * count + 1), mask = slots - 1;
  std::vector<std::int64_t> table(slots, -1);
  const auto equal = [&](std::int64_t i, std::size_t j) {
    return hashes(i, 0) == hashes(j, 0) && hashes(i, 1) == hashes(j, 1);
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (i + ahead < count) __builtin_prefetch(&table[hashes(i + ahead, 0) & mask], 1);
    std::size_t slot = hashes(i, 0) & mask;
    while (table[slot] >= 0 && !equal(table[slot], i)) slot = (slot + 1) & mask;
    if (table[slot] < 0) table[slot] = static_cast<std::int64_t>(i);
    found(i) = table[slot];
  }
}

}  // namespace

void add_distinct(nb::module_& m) {
  m.def("first_of_each", &first_of_each, nb::arg("found").noconvert(),
        nb::arg("hashes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
