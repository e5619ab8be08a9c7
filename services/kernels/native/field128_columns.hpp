// Loops over columns of GF(2^128), for any Pack: a few elements side by side. A Pack offers
//   size; Vector; Product, a product before it is reduced; load, load_one, repeat, store;
//   add, product, add_products, reduce.
#pragma once

#include <cstring>

#include "field128.hpp"

namespace coffer {
namespace {

template <typename Pack>
typename Pack::Vector pack_multiply(typename Pack::Vector a, typename Pack::Vector b) {
  return Pack::reduce(Pack::product(a, b));
}

// Calls step(place, load, store) over whole packs, then over what is left, with Single.
template <typename Pack, typename Single, typename Step>
void for_each_pack(std::size_t count, const Step& step) {
  std::size_t i = 0;
  for (; i + Pack::size <= count; i += Pack::size) step(Pack{}, i);
  for (; i < count; ++i) step(Single{}, i);
}

template <typename Pack, typename Single>
void accumulate_columns(Element* out, const Element* a, const Element* b, std::size_t step,
                        std::size_t count) {
  for_each_pack<Pack, Single>(count, [&](auto pack, std::size_t i) {
    using P = decltype(pack);
    const auto factor = step == 0 ? P::repeat(b) : P::load(b + i);
    P::store(out + i, P::add(P::load(out + i), pack_multiply<P>(P::load(a + i), factor)));
  });
}

// Horner's rule: the products of one element wait for one another, so several packs go together.
template <typename P, int packs>
void evaluate_packs(Element* out, const Element* x, const Element* coefficients,
                    std::size_t degree) {
  typename P::Vector at[packs], sum[packs];
  for (int k = 0; k < packs; ++k) {
    at[k] = P::load(x + k * P::size);
    sum[k] = P::repeat(coefficients + degree - 1);
  }
  for (std::size_t j = degree - 1; j > 0; --j) {
    const auto coefficient = P::repeat(coefficients + j - 1);
    for (int k = 0; k < packs; ++k) sum[k] = P::add(pack_multiply<P>(sum[k], at[k]), coefficient);
  }
  for (int k = 0; k < packs; ++k) {
    Element* to = out + k * P::size;
    P::store(to, P::add(P::load(to), pack_multiply<P>(sum[k], at[k])));
  }
}

template <typename Pack, typename Single>
void evaluate_columns(Element* out, const Element* x, std::size_t count,
                      const Element* coefficients, std::size_t degree) {
  constexpr int packs = 4;
  if (degree == 0) return;
  std::size_t i = 0;
  for (; i + packs * Pack::size <= count; i += packs * Pack::size)
    evaluate_packs<Pack, packs>(out + i, x + i, coefficients, degree);
  for (; i < count; ++i) evaluate_packs<Single, 1>(out + i, x + i, coefficients, degree);
}

// Products are summed before they are reduced, once in the end.
template <typename Pack, typename Single>
Element inner_product_of_columns(const Element* a, const Element* b, std::size_t count) {
  Element sum[Pack::size] = {}, rest = {};
  auto products = Pack::product(Pack::load(sum), Pack::load(sum));
  std::size_t i = 0;
  for (; i + Pack::size <= count; i += Pack::size)
    products = Pack::add_products(products, Pack::product(Pack::load(a + i), Pack::load(b + i)));
  Pack::store(sum, Pack::reduce(products));
  for (; i < count; ++i) {
    Single::store(&rest, pack_multiply<Single>(Single::load(a + i), Single::load(b + i)));
    sum[0] ^= rest;
  }
  for (std::size_t k = 1; k < Pack::size; ++k) sum[0] ^= sum[k];
  return sum[0];
}

template <typename Pack, typename Single>
constexpr FieldKernels field_kernels{accumulate_columns<Pack, Single>,
                                     evaluate_columns<Pack, Single>,
                                     inner_product_of_columns<Pack, Single>};

}  // namespace
}  // namespace coffer
