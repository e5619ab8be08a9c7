// Loops over columns of GF(2^128), for any Pack: a few elements side by side. A Pack offers
//   size; Vector; Product, a product before it is reduced; load, repeat, store;
//   add, product, add_products, reduce.
#pragma once

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
void accumulate_columns(Block128* out, const Block128* a, const Block128* b, std::size_t step,
                        std::size_t count) {
  for_each_pack<Pack, Single>(count, [&](auto pack, std::size_t i) {
    using P = decltype(pack);
    const auto factor = step == 0 ? P::repeat(b) : P::load(b + i);
    P::store(out + i, P::add(P::load(out + i), pack_multiply<P>(P::load(a + i), factor)));
  });
}

// Horner's rule: the products of one element wait for one another, so several packs go together.
template <typename P, int packs>
void evaluate_packs(Block128* out, const Block128* x, const Block128* coefficients,
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
    Block128* to = out + k * P::size;
    P::store(to, P::add(P::load(to), pack_multiply<P>(sum[k], at[k])));
  }
}

template <typename Pack, typename Single>
void evaluate_columns(Block128* out, const Block128* x, std::size_t count,
                      const Block128* coefficients, std::size_t degree) {
  constexpr int packs = 4;
  if (degree == 0) return;
  std::size_t i = 0;
  for (; i + packs * Pack::size <= count; i += packs * Pack::size)
    evaluate_packs<Pack, packs>(out + i, x + i, coefficients, degree);
  for (; i < count; ++i) evaluate_packs<Single, 1>(out + i, x + i, coefficients, degree);
}

// Products are summed before they are reduced, once in the end.
template <typename Pack, typename Single>
Block128 inner_product_of_columns(const Block128* a, const Block128* b, std::size_t count) {
  Block128 sum[Pack::size] = {}, rest = zero128();
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

// Horner's rule in steps of several places, whose products are summed before they are reduced.
template <typename Pack, typename Single>
Block128 linear_hash_of_column(const Block128* v, std::size_t count, Block128 point) {
  constexpr std::size_t stride = 16;
  Block128 powers[stride + 1] = {Block128{1, 0}};
  for (std::size_t i = 1; i <= stride; ++i)
    Single::store(powers + i,
                  pack_multiply<Single>(Single::load(powers + i - 1), Single::load(&point)));
  Block128 sum = zero128();
  const auto shift = [&](std::size_t places) {
    Single::store(&sum, pack_multiply<Single>(Single::load(&sum), Single::load(powers + places)));
  };
  std::size_t left = count;
  for (; left % stride != 0; --left) {
    shift(1);
    sum ^= v[left - 1];
  }
  for (; left != 0; left -= stride) {
    shift(stride);
    sum ^= inner_product_of_columns<Pack, Single>(v + left - stride, powers, stride);
  }
  return sum;
}

template <typename Pack, typename Single>
constexpr FieldKernels field_kernels{
    accumulate_columns<Pack, Single>, evaluate_columns<Pack, Single>,
    inner_product_of_columns<Pack, Single>, linear_hash_of_column<Pack, Single>};

}  // namespace
}  // namespace coffer
