// GF(2^128) by the processor's carry-less product: one element in 128 bits, or two in 256.
#pragma once

#include <immintrin.h>

#include "field128_columns.hpp"

namespace coffer {
namespace {

// x^128 = x^7 + x^2 + x + 1
constexpr long long field_tail = 0x87;

struct One {
  static constexpr std::size_t size = 1;
  using Vector = __m128i;
  struct Product {
    __m128i low, middle, high;  // at x^0, x^64, x^128
  };

  static Vector load(const Block128* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Vector repeat(const Block128* from) { return load(from); }
  static void store(Block128* to, Vector v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v); }
  static Vector add(Vector a, Vector b) { return _mm_xor_si128(a, b); }

  static Product product(Vector a, Vector b) {
    return {_mm_clmulepi64_si128(a, b, 0x00),
            add(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10)),
            _mm_clmulepi64_si128(a, b, 0x11)};
  }
  static Product add_products(Product a, Product b) {
    return {add(a.low, b.low), add(a.middle, b.middle), add(a.high, b.high)};
  }
  // The upper half times the tail falls into x^64…x^198, then its own upper part once more.
  static Vector reduce(Product p) {
    const __m128i tail = _mm_set_epi64x(0, field_tail);
    p.middle = add(p.middle, _mm_clmulepi64_si128(p.high, tail, 0x01));
    const __m128i low = add(p.low, _mm_slli_si128(p.middle, 8));
    const __m128i high = add(p.high, _mm_srli_si128(p.middle, 8));
    return add(low, _mm_clmulepi64_si128(high, tail, 0x00));
  }
};

#if defined(__VPCLMULQDQ__)
struct Two {
  static constexpr std::size_t size = 2;
  using Vector = __m256i;
  struct Product {
    __m256i low, middle, high;
  };

  static Vector load(const Block128* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Vector repeat(const Block128* from) {
    return _mm256_broadcastsi128_si256(One::load(from));
  }
  static void store(Block128* to, Vector v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
  }
  static Vector add(Vector a, Vector b) { return _mm256_xor_si256(a, b); }

  static Product product(Vector a, Vector b) {
    return {_mm256_clmulepi64_epi128(a, b, 0x00),
            add(_mm256_clmulepi64_epi128(a, b, 0x01), _mm256_clmulepi64_epi128(a, b, 0x10)),
            _mm256_clmulepi64_epi128(a, b, 0x11)};
  }
  static Product add_products(Product a, Product b) {
    return {add(a.low, b.low), add(a.middle, b.middle), add(a.high, b.high)};
  }
  static Vector reduce(Product p) {
    const __m256i tail = _mm256_set_epi64x(0, field_tail, 0, field_tail);
    p.middle = add(p.middle, _mm256_clmulepi64_epi128(p.high, tail, 0x01));
    const __m256i low = add(p.low, _mm256_slli_si256(p.middle, 8));
    const __m256i high = add(p.high, _mm256_srli_si256(p.middle, 8));
    return add(low, _mm256_clmulepi64_epi128(high, tail, 0x00));
  }
};
#endif

}  // namespace
}  // namespace coffer
