// Curve25519 on four rows at a time, by the fused multiply-add of doubles.
//
// A number is five limbs of 51 bits, of either sign, each an integer in a double. The product of
// two limbs has twice the bits of a double; two multiply-adds give it exactly in two halves,
// aligned with the limbs, so that integer additions can sum them up:
//   high = a·b + 1.5·2^103   rounded to a multiple of 2^51, since doubles near 2^103 are that far
//   apart; low  = a·b + (1.5·2^103 + 1.5·2^52 - high)   exact.
// Taken as integers, the bits of high are those of 1.5·2^103 plus ⌊a·b/2^51⌉, and those of low are
// those of 1.5·2^52 plus the rest, which is at most 2^50. So |a·b| must be below 2^102.
// The processor rounds to the nearest, as every process starts; no operand is denormal, infinite or
// not a number, and no multiply-add takes a time that depends on its operands then.
#include <immintrin.h>

#include "curve25519_blocks.hpp"

namespace coffer::curve25519 {
namespace {

using Doubles = __m256d;
using Integers = __m256i;

constexpr double high_offset = 0x1.8p103;
constexpr double both_offsets = 0x1.8000000000003p103;  // high_offset + low_offset
constexpr double low_offset = 0x1.8p52;
constexpr std::uint64_t high_bits = 0x4668000000000000;  // of high_offset
constexpr std::uint64_t low_bits = 0x4338000000000000;   // of low_offset
constexpr std::int64_t unit_bits = 0x4330000000000000;   // of 2^52

inline Doubles all(double x) { return _mm256_set1_pd(x); }
inline Integers all(std::int64_t x) { return _mm256_set1_epi64x(x); }
inline Integers bits(Doubles x) { return _mm256_castpd_si256(x); }
inline Doubles doubles(Integers x) { return _mm256_castsi256_pd(x); }
inline Integers plus(Integers a, Integers b) { return _mm256_add_epi64(a, b); }
inline Doubles fused(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a, b, c); }

struct FourByDoubles {
  static constexpr std::size_t lanes = 4;

  struct Element {
    Doubles at[limbs];  // at most 2^50 + 2^13, and from multiply_add 2^51 + 2^22
  };

  // `products` and `squares` say how often the offsets of a product and of a square are still in
  // it; reduce takes them off. Without them, it is at most 2^59 - 2^51.
  template <int products, int squares>
  struct Sum {
    Integers at[limbs];
  };
  using Product = Sum<1, 0>;
  using Square = Sum<0, 1>;

  // How many products of limbs begin in each column of a product and of a square.
  static constexpr int product_terms[2 * limbs] = {1, 2, 3, 4, 5, 4, 3, 2, 1, 0};
  static constexpr int square_terms[2 * limbs] = {1, 1, 2, 2, 3, 2, 2, 1, 1, 0};

  static constexpr std::uint64_t offset_of_column(const int* terms, int k) {
    return low_bits * static_cast<std::uint64_t>(terms[k]) +
           (k ? high_bits * static_cast<std::uint64_t>(terms[k - 1]) : 0);
  }

  static constexpr std::uint64_t offset_of_limb(const int* terms, int k) {
    return offset_of_column(terms, k) + 19 * offset_of_column(terms, k + limbs);
  }

  // Columns of a product: at[k] weighs 2^(51·k).
  struct Columns {
    Integers at[2 * limbs];

    Columns() {
      for (Integers& column : at) column = _mm256_setzero_si256();
    }

    INLINE void add(int k, Doubles a, Doubles b) {
      const Doubles high = fused(a, b, all(high_offset));
      const Doubles low = fused(a, b, _mm256_sub_pd(all(both_offsets), high));
      at[k] = plus(at[k], bits(low));
      at[k + 1] = plus(at[k + 1], bits(high));
    }

    // The upper columns count 19 times in the lower ones, since 2^255 = 19.
    template <typename Folded>
    INLINE Folded fold() const {
      Folded out;
      for (int k = 0; k < limbs; ++k) {
        const Integers x = at[k + limbs];
        const Integers nine = plus(x, _mm256_slli_epi64(x, 3));
        out.at[k] = plus(plus(at[k], x), plus(nine, nine));
      }
      return out;
    }
  };

  INLINE static Product multiply(const Element& a, const Element& b) {
    Columns columns;
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i)
#pragma GCC unroll 5
      for (int j = 0; j < limbs; ++j) columns.add(i + j, a.at[i], b.at[j]);
    return columns.fold<Product>();
  }

  INLINE static Square square(const Element& a) {
    Columns columns;
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i) {
      columns.add(2 * i, a.at[i], a.at[i]);
      const Doubles twice = _mm256_add_pd(a.at[i], a.at[i]);
#pragma GCC unroll 5
      for (int j = i + 1; j < limbs; ++j) columns.add(i + j, twice, a.at[j]);
    }
    return columns.fold<Square>();
  }

  template <int p, int s, int q, int t>
  INLINE static Sum<p + q, s + t> add(const Sum<p, s>& a, const Sum<q, t>& b) {
    Sum<p + q, s + t> out;
    for (int i = 0; i < limbs; ++i) out.at[i] = plus(a.at[i], b.at[i]);
    return out;
  }

  template <int p, int s, int q, int t>
  INLINE static Sum<p - q, s - t> subtract(const Sum<p, s>& a, const Sum<q, t>& b) {
    Sum<p - q, s - t> out;
    for (int i = 0; i < limbs; ++i) out.at[i] = _mm256_sub_epi64(a.at[i], b.at[i]);
    return out;
  }

  // All limbs at once give what exceeds ±2^50 to the next. With an offset they are positive for it.
  template <int products, int squares>
  INLINE static Element reduce(const Sum<products, squares>& a) {
    constexpr std::int64_t middle = std::int64_t{1} << (limb_bits - 1);
    constexpr std::int64_t excess_offset = 1 << 8;  // · 2^51 = 2^59
    Integers rest[limbs], excess[limbs];
    for (int i = 0; i < limbs; ++i) {
      const std::uint64_t offset = (excess_offset << limb_bits) + middle -
                                   products * offset_of_limb(product_terms, i) -
                                   squares * offset_of_limb(square_terms, i);
      const Integers x = plus(a.at[i], all(static_cast<std::int64_t>(offset)));
      excess[i] = _mm256_srli_epi64(x, limb_bits);
      rest[i] = _mm256_or_si256(_mm256_and_si256(x, all(static_cast<std::int64_t>(limb_mask))),
                                all(unit_bits));  // as a double: 2^52 + its lower bits
    }
    Element out;
    const Integers wrapped = _mm256_mul_epu32(excess[limbs - 1], all(std::int64_t{19}));
    out.at[0] = _mm256_sub_pd(doubles(plus(rest[0], wrapped)),
                              all(0x1p52 + static_cast<double>(middle + 19 * excess_offset)));
    for (int i = 1; i < limbs; ++i)
      out.at[i] = _mm256_sub_pd(doubles(plus(rest[i], excess[i - 1])),
                                all(0x1p52 + static_cast<double>(middle + excess_offset)));
    return out;
  }

  static Sum<0, 0> widen(const Element& a) {
    Sum<0, 0> out;
    for (int i = 0; i < limbs; ++i) {
      const Doubles moved = _mm256_add_pd(a.at[i], all(low_offset));
      out.at[i] = _mm256_sub_epi64(bits(moved), all(static_cast<std::int64_t>(low_bits)));
    }
    return out;
  }

  INLINE static Element multiply_add(const Element& e, const Element& x) {
    Doubles high[limbs];  // negated, in units of 1
    Element out;
    for (int i = 0; i < limbs; ++i) {
      const Doubles moved = fused(e.at[i], all(121665.0), all(high_offset));
      high[i] = _mm256_sub_pd(all(high_offset), moved);
      const Doubles low = fused(e.at[i], all(121665.0), high[i]);
      out.at[i] = _mm256_add_pd(low, x.at[i]);
    }
    out.at[0] = fused(high[limbs - 1], all(-19 * 0x1p-51), out.at[0]);
    for (int i = 1; i < limbs; ++i) out.at[i] = fused(high[i - 1], all(-0x1p-51), out.at[i]);
    return out;
  }

  static void swap(std::uint64_t mask, Element& a, Element& b) {
    const Doubles wide = doubles(all(static_cast<std::int64_t>(mask)));
    for (int i = 0; i < limbs; ++i) {
      const Doubles first = a.at[i], second = b.at[i];
      a.at[i] = _mm256_blendv_pd(first, second, wide);
      b.at[i] = _mm256_blendv_pd(second, first, wide);
    }
  }

  static Element choose(const std::uint64_t* mask, const Element& a, const Element& b) {
    const Doubles wide = doubles(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask)));
    Element out;
    for (int i = 0; i < limbs; ++i) out.at[i] = _mm256_blendv_pd(b.at[i], a.at[i], wide);
    return out;
  }

  static Element constant(int x) {
    return {{all(static_cast<double>(x)), all(0.0), all(0.0), all(0.0), all(0.0)}};
  }

  static Element load(const std::uint8_t* rows) {
    alignas(32) std::int64_t parts[limbs][lanes];
    for (std::size_t lane = 0; lane < lanes; ++lane)
      unpack(&parts[0][lane], lanes, rows + lane * row_bytes);
    Sum<0, 0> out;
    for (int i = 0; i < limbs; ++i)
      out.at[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(parts[i]));
    return reduce(out);
  }

  static void store(std::uint8_t* rows, const Element& a) {
    alignas(32) std::int64_t parts[limbs][lanes];
    const Sum<0, 0> wide = widen(a);
    for (int i = 0; i < limbs; ++i)
      _mm256_store_si256(reinterpret_cast<__m256i*>(parts[i]), wide.at[i]);
    for (std::size_t lane = 0; lane < lanes; ++lane)
      pack(rows + lane * row_bytes, &parts[0][lane], lanes);
  }
};

}  // namespace

const Path avx2{&Blocks<FourByDoubles>::multiply, &Blocks<FourByDoubles>::map};

}  // namespace coffer::curve25519
