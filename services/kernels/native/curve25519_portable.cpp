// Curve25519 on one row at a time, by 64-bit multiplications with 128-bit products.
#include "curve25519_blocks.hpp"

namespace coffer::curve25519 {
namespace {

__extension__ using Wide = unsigned __int128;

struct OneByIntegers {
  static constexpr std::size_t lanes = 1;

  // Products come reduced already, so a Sum is an Element: five limbs, below 2^51 + 2^13 where a
  // product gave them, and below 2^54 where sums or differences did.
  struct Element {
    std::uint64_t at[limbs];
  };
  using Sum = Element;

  static Element carried(const Wide (&t)[limbs]) {
    Element out;
    Wide excess = 0;
    for (int i = 0; i < limbs; ++i) {
      const Wide x = t[i] + excess;
      out.at[i] = static_cast<std::uint64_t>(x) & limb_mask;
      excess = x >> limb_bits;
    }
    const Wide first = out.at[0] + 19 * excess;
    out.at[0] = static_cast<std::uint64_t>(first) & limb_mask;
    out.at[1] += static_cast<std::uint64_t>(first >> limb_bits);
    return out;
  }

  static Sum multiply(const Element& a, const Element& b) {
    Wide t[limbs] = {};
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i)
#pragma GCC unroll 5
      for (int j = 0; j < limbs; ++j)
        t[(i + j) % limbs] += static_cast<Wide>(a.at[i]) * (i + j < limbs ? b.at[j] : 19 * b.at[j]);
    return carried(t);
  }

  static Sum square(const Element& a) {
    Wide t[limbs] = {};
#pragma GCC unroll 5
    for (int i = 0; i < limbs; ++i)
#pragma GCC unroll 5
      for (int j = i; j < limbs; ++j)
        t[(i + j) % limbs] += static_cast<Wide>(i == j ? a.at[i] : 2 * a.at[i]) *
                              (i + j < limbs ? a.at[j] : 19 * a.at[j]);
    return carried(t);
  }

  static Sum add(const Sum& a, const Sum& b) {
    Sum out;
    for (int i = 0; i < limbs; ++i) out.at[i] = a.at[i] + b.at[i];
    return out;
  }

  static Sum subtract(const Sum& a, const Sum& b) {  // a + 4·p - b
    Sum out;
    for (int i = 0; i < limbs; ++i) out.at[i] = a.at[i] + 4 * (limb_mask - (i ? 0 : 18)) - b.at[i];
    return out;
  }

  static Element reduce(const Sum& a) { return a; }
  static Sum widen(const Element& a) { return carried_once(a); }

  // What sums and differences gave, so that it may be added again.
  static Element carried_once(const Element& a) {
    Wide t[limbs];
    for (int i = 0; i < limbs; ++i) t[i] = a.at[i];
    return carried(t);
  }

  static Element multiply_add(const Element& e, const Element& x) {
    Wide t[limbs];
    for (int i = 0; i < limbs; ++i) t[i] = static_cast<Wide>(e.at[i]) * 121665 + x.at[i];
    return carried(t);
  }

  static void swap(std::uint64_t mask, Element& a, Element& b) {
    for (int i = 0; i < limbs; ++i) {
      const std::uint64_t both = mask & (a.at[i] ^ b.at[i]);
      a.at[i] ^= both;
      b.at[i] ^= both;
    }
  }

  static Element choose(const std::uint64_t* mask, const Element& a, const Element& b) {
    Element out;
    for (int i = 0; i < limbs; ++i) out.at[i] = b.at[i] ^ (*mask & (a.at[i] ^ b.at[i]));
    return out;
  }

  static Element constant(int x) { return {{static_cast<std::uint64_t>(x), 0, 0, 0, 0}}; }

  static Element load(const std::uint8_t* row) {
    std::int64_t parts[limbs];
    unpack(parts, 1, row);
    Element out;
    for (int i = 0; i < limbs; ++i) out.at[i] = static_cast<std::uint64_t>(parts[i]);
    return out;
  }

  static void store(std::uint8_t* row, const Element& a) {
    std::int64_t parts[limbs];
    for (int i = 0; i < limbs; ++i) parts[i] = static_cast<std::int64_t>(a.at[i]);
    pack(row, parts, 1);
  }
};

}  // namespace

const Path portable{&Blocks<OneByIntegers>::multiply, &Blocks<OneByIntegers>::map};

}  // namespace coffer::curve25519
