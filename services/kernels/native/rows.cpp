// Order and equality of rows of 32 bytes. The rows are what a protocol ends with: they are compared
// in the clear, by a party that learns the outcome anyway, so branches on them are no leak.
#include <cstring>

#include "kernels.hpp"

namespace coffer {
namespace {

int compare(Rows32 left, std::int64_t i, Rows32 right, std::int64_t j) {
  return std::memcmp(&left(i, 0), &right(j, 0), 32);
}

// order = the places of the rows, ascending by their bytes
void sort_rows(OutIndices order, Rows32 rows) {
  for (std::size_t i = 0; i < order.shape(0); ++i) order(i) = static_cast<std::int64_t>(i);
  std::sort(order.data(), order.data() + order.shape(0),
            [&](std::int64_t i, std::int64_t j) { return compare(rows, i, rows, j) < 0; });
}

// Whether a row stands twice in rows, of which `order` is the ascending order.
bool has_repeat(Rows32 rows, Indices order) {
  for (std::size_t i = 1; i < order.shape(0); ++i)
    if (compare(rows, order(i - 1), rows, order(i)) == 0) return true;
  return false;
}

// found[j] = the place among `left` of the row right[j], or -1; both are free of repeats.
void match_rows(OutIndices found, Rows32 left, Indices left_order, Rows32 right,
                Indices right_order) {
  std::size_t i = 0;
  for (std::size_t j = 0; j < right_order.shape(0); ++j) {
    int sign = 1;
    while (i < left_order.shape(0) &&
           (sign = compare(left, left_order(i), right, right_order(j))) < 0)
      ++i;
    found(right_order(j)) = i < left_order.shape(0) && sign == 0 ? left_order(i) : -1;
  }
}

}  // namespace

void add_rows(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("sort_rows", &sort_rows, nb::arg("order").noconvert(), nb::arg("rows").noconvert(),
        unlocked);
  m.def("has_repeat", &has_repeat, nb::arg("rows").noconvert(), nb::arg("order").noconvert(),
        unlocked);
  m.def("match_rows", &match_rows, nb::arg("found").noconvert(), nb::arg("left").noconvert(),
        nb::arg("left_order").noconvert(), nb::arg("right").noconvert(),
        nb::arg("right_order").noconvert(), unlocked);
}

}  // namespace coffer
