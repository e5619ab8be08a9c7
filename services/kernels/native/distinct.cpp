// Equality within a column of uniform hashes.
#include "index.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

// found[i] = the place of the first hash that equals the i-th
void first_of_each(OutIndices found, OutWords64 slots, Blocks hashes) {
  const std::size_t count = hashes.shape(0);
  Index index(slots.data(), slots.shape(0));
  index.clear();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + Index::ahead < count) index.fetch(hashes(i + Index::ahead, 0));
    std::uint64_t& slot = index.slot(hashes(i, 0), [&](std::int64_t j) {
      return hashes(i, 0) == hashes(j, 0) && hashes(i, 1) == hashes(j, 1);
    });
    if (Index::place(slot) < 0) Index::put(slot, hashes(i, 0), i);
    found(i) = Index::place(slot);
  }
}

}  // namespace

void add_distinct(nb::module_& m) {
  m.def("first_of_each", &first_of_each, nb::arg("found").noconvert(), nb::arg("slots").noconvert(),
        nb::arg("hashes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
