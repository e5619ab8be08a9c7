// GF(2^128) modulo x^128 + x^7 + x^2 + x + 1: bit i of a block is the coefficient of x^i.
//
// Everything here takes constant time. It has internal linkage, since each file is compiled for a
// level of its own: a copy that uses PCLMULQDQ must never be linked into the portable path.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__PCLMUL__)
#include <immintrin.h>
#endif

namespace coffer {

// Two words, the low one first; aligned as its words are, as NumPy's columns may be no better.
using Block128 = std::uint64_t __attribute__((vector_size(16), aligned(8), may_alias));

namespace {

inline Block128 zero128() { return Block128{0, 0}; }

// All ones if the bit is 1, all zeros if it is 0.
inline Block128 mask128(std::uint64_t bit) { return Block128{0 - bit, 0 - bit}; }

inline Block128 times_x(Block128 a) {
  const std::uint64_t low = a[0], high = a[1];
  return Block128{(low << 1) ^ (0x87 & (0 - (high >> 63))), (high << 1) | (low >> 63)};
}

inline Block128 mul128_portable(Block128 a, Block128 b) {
  Block128 product = zero128();
  for (int word = 1; word >= 0; --word)
    for (int bit = 63; bit >= 0; --bit)
      product = times_x(product) ^ (a & mask128(b[word] >> bit & 1));
  return product;
}

#if defined(__PCLMUL__)

// A product before its reduction: low + middle x^64 + high x^128; products may be added up in it.
struct Wide {
  __m128i low, middle, high;
};

inline Wide widen(__m128i a, __m128i b) {
  return {_mm_clmulepi64_si128(a, b, 0x00),
          _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10)),
          _mm_clmulepi64_si128(a, b, 0x11)};
}

inline Wide operator^(Wide a, Wide b) {
  return {_mm_xor_si128(a.low, b.low), _mm_xor_si128(a.middle, b.middle),
          _mm_xor_si128(a.high, b.high)};
}

inline __m128i reduce(Wide a) {
  const __m128i modulus = _mm_set_epi64x(0, 0x87);  // x^128 = x^7 + x^2 + x + 1
  __m128i low = _mm_xor_si128(a.low, _mm_slli_si128(a.middle, 8));
  __m128i high = _mm_xor_si128(a.high, _mm_srli_si128(a.middle, 8));
  const __m128i top = _mm_clmulepi64_si128(high, modulus, 0x01);
  low = _mm_xor_si128(low, _mm_slli_si128(top, 8));
  high = _mm_xor_si128(high, _mm_srli_si128(top, 8));
  return _mm_xor_si128(low, _mm_clmulepi64_si128(high, modulus, 0x00));
}

inline Block128 mul128(Block128 a, Block128 b) {
  return reinterpret_cast<Block128>(
      reduce(widen(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b))));
}

#else

inline Block128 mul128(Block128 a, Block128 b) { return mul128_portable(a, b); }

#endif

}  // namespace
}  // namespace coffer
