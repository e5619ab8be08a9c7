#include "poly.hpp"

#include "cpu.hpp"
#include "kernels.hpp"

namespace coffer {

Block128 evaluate_portable(const Block128* v, std::size_t count, Block128 point) {
  Block128 sum = zero128();
  for (std::size_t i = count; i--;) sum = mul128(sum, point) ^ v[i];
  return sum;
}

namespace {

Block128 evaluate(const Block128* v, std::size_t count, Block128 point) {
#if defined(__x86_64__)
  if (level() >= Level::avx2) return evaluate_avx2(v, count, point);
#endif
  return evaluate_portable(v, count, point);
}

// out[r] = sum_j point^j rows[r][j]
void hash_rows(OutBlocks out, Blocks rows, Blocks point, unsigned threads) {
  const std::size_t count = out.shape(0), width = rows.shape(0) / count;
  const Block128 at = *blocks(point);
  for_each_row(count, threads, [&](std::size_t r) {
    blocks(out)[r] = evaluate(blocks(rows) + r * width, width, at);
  });
}

}  // namespace

void add_poly(nb::module_& m) {
  m.def("hash_rows", &hash_rows, nb::arg("out").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("point").noconvert(), nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
