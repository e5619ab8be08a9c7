// The field GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1).
//
// An element is 16 bytes: bit i (the i-th lowest) of byte j is the coefficient of x^(8 j + i).
// So it is a little-endian number whose bit k stands at x^k, unlike in GCM.
//
// No branch and no index depends on an element. The portable product relies on the processor to
// multiply 64-bit integers in constant time, as all that have 64 bits do.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace coffer {

static_assert(std::endian::native == std::endian::little, "elements are little-endian numbers");

// Packed, so that columns may lie at any address.
struct [[gnu::packed, gnu::may_alias]] Element {
  std::uint64_t low, high;

  Element& operator^=(Element other) {
    low ^= other.low;
    high ^= other.high;
    return *this;
  }
  bool is_zero() const { return (low | high) == 0; }
};
static_assert(sizeof(Element) == 16);

// One element alone, by the path of the level that is now taken; for the few that are met singly.
Element multiply(Element a, Element b);
Element invert(Element a);  // a^(2^128 - 2), which is 0 if a is

// What each level's file offers, over whole columns.
struct FieldKernels {
  // out[i] ^= a[i] * b[i step], with step 0 or 1
  void (*accumulate)(Element* out, const Element* a, const Element* b, std::size_t step,
                     std::size_t count);
  // out[i] ^= sum of coefficients[j - 1] * x[i]^j over j in 1…degree
  void (*evaluate)(Element* out, const Element* x, std::size_t count, const Element* coefficients,
                   std::size_t degree);
  // the sum of a[i] * b[i]
  Element (*inner_product)(const Element* a, const Element* b, std::size_t count);
};

extern const FieldKernels field_portable, field_avx2, field_vaes;

const FieldKernels& field_now();

}  // namespace coffer
