// Curve25519 on eight rows at a time, by the multiply-add of integers of 52 bits (IFMA).
//
// A number is five limbs of 51 bits, unsigned. One instruction adds the lower 52 bits of the
// product of two limbs to a column, another the upper ones, which weigh 2^52 and so count twice in
// the next.

// GCC 12's header leaves the lanes uninitialized that a mask of all ones replaces (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "curve25519_blocks.hpp"

namespace coffer::curve25519 {
namespace {

using Integers = __m512i;

inline Integers all(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
inline Integers plus(Integers a, Integers b) { return _mm512_add_epi64(a, b); }

struct EightByIntegers {
  static constexpr std::size_t lanes = 8;

  struct Element {
    Integers at[limbs];  // below 2^51 + 2^15, and so below 2^52 as the multiply-add wants
  };
  struct Sum {
    Integers at[limbs];  // below 2^61
  };

  // Columns of a product: low[k] weighs 2^(51·k), high[k] 2^(51·k + 52). At most 5 terms each.
  struct Columns {
    Integers low[2 * limbs], high[2 * limbs];

    Columns() {
      for (int k = 0; k < 2 * limbs; ++k) low[k] = high[k] = _mm512_setzero_si512();
    }

    void add(int k, Integers a, Integers b) {
      low[k] = _mm512_madd52lo_epu64(low[k], a, b);
      high[k] = _mm512_madd52hi_epu64(high[k], a, b);
    }

    void twice() {
      for (int k = 0; k < 2 * limbs; ++k) {
        low[k] = plus(low[k], low[k]);
        high[k] = plus(high[k], high[k]);
      }
    }

    Integers at(int k) const { return k ? plus(low[k], plus(high[k - 1], high[k - 1])) : low[k]; }

    // The upper columns count 19 times in the lower ones, since 2^255 = 19: below 2^59.1 in all,
    // as at(k) is below 4·2^52 + 2·5·(2^50 + 2^15).
    Sum fold() const {
      Sum out;
      for (int k = 0; k < limbs; ++k) {
        const Integers x = at(k + limbs);
        const Integers nine = plus(x, _mm512_slli_epi64(x, 3));
        out.at[k] = plus(plus(at(k), x), plus(nine, nine));
      }
      return out;
    }
  };

  static Sum multiply(const Element& a, const Element& b) {
    Columns columns;
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i)
#pragma GCC unroll 5
      for (int j = 0; j < limbs; ++j) columns.add(i + j, a.at[i], b.at[j]);
    return columns.fold();
  }

  static Sum square(const Element& a) {
    Columns columns;
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i)
#pragma GCC unroll 5
      for (int j = i + 1; j < limbs; ++j) columns.add(i + j, a.at[i], a.at[j]);
    columns.twice();  // A limb itself would not fit into 52 bits when doubled.
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i) columns.add(2 * i, a.at[i], a.at[i]);
    return columns.fold();
  }

  static Sum add(const Sum& a, const Sum& b) {
    Sum out;
    for (int i = 0; i < limbs; ++i) out.at[i] = plus(a.at[i], b.at[i]);
    return out;
  }

  static Sum subtract(const Sum& a, const Sum& b) {  // a + 2^9·p - b
    Sum out;
    for (int i = 0; i < limbs; ++i) {
      const Integers multiple = all((limb_mask - (i ? 0 : 18)) << 9);
      out.at[i] = plus(a.at[i], _mm512_sub_epi64(multiple, b.at[i]));
    }
    return out;
  }

  // All limbs at once give what exceeds 51 bits to the next.
  static Element reduce(const Sum& a) {
    Integers rest[limbs], excess[limbs];
    for (int i = 0; i < limbs; ++i) {
      excess[i] = _mm512_srli_epi64(a.at[i], limb_bits);
      rest[i] = _mm512_and_si512(a.at[i], all(limb_mask));
    }
    Element out;
    out.at[0] = plus(rest[0], _mm512_mul_epu32(excess[limbs - 1], all(19)));
    for (int i = 1; i < limbs; ++i) out.at[i] = plus(rest[i], excess[i - 1]);
    return out;
  }

  static Sum widen(const Element& a) {
    Sum out;
    for (int i = 0; i < limbs; ++i) out.at[i] = a.at[i];
    return out;
  }

  static Element multiply_add(const Element& e, const Element& x) {
    Sum out;
    Integers high[limbs];
    for (int i = 0; i < limbs; ++i) {
      out.at[i] = _mm512_madd52lo_epu64(x.at[i], e.at[i], all(121665));
      high[i] = _mm512_madd52hi_epu64(_mm512_setzero_si512(), e.at[i], all(121665));
      high[i] = plus(high[i], high[i]);
    }
    out.at[0] = plus(out.at[0], _mm512_mul_epu32(high[limbs - 1], all(19)));
    for (int i = 1; i < limbs; ++i) out.at[i] = plus(out.at[i], high[i - 1]);
    return reduce(out);
  }

  static void swap(std::uint64_t mask, Element& a, Element& b) {
    const Integers wide = all(mask);
    for (int i = 0; i < limbs; ++i) {
      const Integers both = _mm512_and_si512(wide, _mm512_xor_si512(a.at[i], b.at[i]));
      a.at[i] = _mm512_xor_si512(a.at[i], both);
      b.at[i] = _mm512_xor_si512(b.at[i], both);
    }
  }

  static Element choose(const std::uint64_t* mask, const Element& a, const Element& b) {
    const Integers wide = _mm512_loadu_si512(mask);
    Element out;
    for (int i = 0; i < limbs; ++i) {
      const Integers both = _mm512_and_si512(wide, _mm512_xor_si512(a.at[i], b.at[i]));
      out.at[i] = _mm512_xor_si512(b.at[i], both);
    }
    return out;
  }

  static Element constant(int x) {
    return {{all(static_cast<std::uint64_t>(x)), all(0), all(0), all(0), all(0)}};
  }

  static Element load(const std::uint8_t* rows) {
    alignas(64) std::int64_t parts[limbs][lanes];
    for (std::size_t lane = 0; lane < lanes; ++lane)
      unpack(&parts[0][lane], lanes, rows + lane * row_bytes);
    Element out;
    for (int i = 0; i < limbs; ++i) out.at[i] = _mm512_load_si512(parts[i]);
    return out;
  }

  static void store(std::uint8_t* rows, const Element& a) {
    alignas(64) std::int64_t parts[limbs][lanes];
    for (int i = 0; i < limbs; ++i) _mm512_store_si512(parts[i], a.at[i]);
    for (std::size_t lane = 0; lane < lanes; ++lane)
      pack(rows + lane * row_bytes, &parts[0][lane], lanes);
  }
};

}  // namespace

const Path avx512{&Blocks<EightByIntegers>::multiply, &Blocks<EightByIntegers>::map};

}  // namespace coffer::curve25519
