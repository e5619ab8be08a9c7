// The field GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1).
//
// No branch and no index depends on an element. The portable product relies on the processor to
// multiply 64-bit integers in constant time, as all that have 64 bits do.
#pragma once

#include "block128.hpp"

namespace coffer {

// One element alone, by the path of the level that is now taken; for the few that are met singly.
Block128 multiply(Block128 a, Block128 b);
Block128 invert(Block128 a);  // a^(2^128 - 2), which is 0 if a is

// What each level's file offers, over whole columns.
struct FieldKernels {
  // out[i] ^= a[i] * b[i step], with step 0 or 1
  void (*accumulate)(Block128* out, const Block128* a, const Block128* b, std::size_t step,
                     std::size_t count);
  // out[i] ^= sum of coefficients[j - 1] * x[i]^j over j in 1…degree
  void (*evaluate)(Block128* out, const Block128* x, std::size_t count,
                   const Block128* coefficients, std::size_t degree);
  // the sum of a[i] * b[i]
  Block128 (*inner_product)(const Block128* a, const Block128* b, std::size_t count);
  // the sum of v[i] * point^i
  Block128 (*linear_hash)(const Block128* v, std::size_t count, Block128 point);
};

extern const FieldKernels field_portable, field_avx2, field_vaes;

const FieldKernels& field_now();

}  // namespace coffer
