// X25519 [RFC7748] and Elligator 2 [RFC9380 §6.7.1] on blocks of rows, over any field of lanes.
//
// A Field holds Field::lanes numbers modulo p = 2^255 - 19 side by side:
//   Element            numbers that may be multiplied
//   sums               numbers that came from products and must be reduced before the next one;
//   their
//                      types are the Field's affair
//   multiply, square   Element → sum; their operands are Elements that reduce, load or one gave, of
//                      which one operand of multiply may instead come from multiply_add
//   add, subtract      sum → sum, of two that multiply, square or widen gave
//   widen, reduce      Element → sum and back
//   multiply_add(e, x) 121665·e + x
//   swap(mask, a, b)   exchanges a and b if mask is all ones, not if zero
//   choose(mask, a, b) a in lanes whose mask is all ones, b where it is zero
//   load, store        rows of 32 bytes, little-endian; load ignores bit 255; store is canonical
// Only arithmetic and masks act on numbers: no branch, index or address depends on them.
//
// Each path includes this file with a Field in an unnamed namespace, so that no code that was
// compiled for one processor is taken for another. For the same reason it calls no inline function
// of the standard library.
#pragma once

#include <cstring>

#include "curve25519.hpp"
#include "curve25519_rows.hpp"

namespace coffer::curve25519 {
namespace {

constexpr int scalar_bits = 255;

template <typename Field>
struct Blocks {
  using Element = typename Field::Element;

  static constexpr std::size_t lanes = Field::lanes;
  static constexpr std::size_t vectors = block_rows / lanes;

  struct Ratio {
    Element top, bottom;
  };

  struct Rows {
    alignas(64) std::uint8_t bytes[lanes][row_bytes];
  };

  static Element product(const Element& a, const Element& b) {
    return Field::reduce(Field::multiply(a, b));
  }

  static Element sum(const Element& a, const Element& b) {
    return Field::reduce(Field::add(Field::widen(a), Field::widen(b)));
  }

  static Element difference(const Element& a, const Element& b) {
    return Field::reduce(Field::subtract(Field::widen(a), Field::widen(b)));
  }

  static Element square_times(Element z, int times) {
    for (int i = 0; i < times; ++i) z = Field::reduce(Field::square(z));
    return z;
  }

  // z^(2^252 - 3), of which both the inverse and the Legendre symbol are made.
  static Element power(const Element& z) {
    const Element z2 = square_times(z, 1);
    const Element z9 = product(square_times(z2, 2), z);
    const Element z11 = product(z9, z2);
    const Element p5 = product(square_times(z11, 1), z9);     // z^(2^5 - 1)
    const Element p10 = product(square_times(p5, 5), p5);     // z^(2^10 - 1)
    const Element p20 = product(square_times(p10, 10), p10);  // and so on
    const Element p40 = product(square_times(p20, 20), p20);
    const Element p50 = product(square_times(p40, 10), p10);
    const Element p100 = product(square_times(p50, 50), p50);
    const Element p200 = product(square_times(p100, 100), p100);
    const Element p250 = product(square_times(p200, 50), p50);
    return product(square_times(p250, 2), z);
  }

  static Element inverse(const Element& z) {  // z^(p - 2) = z^(8·(2^252 - 3) + 3)
    return product(square_times(power(z), 3), product(square_times(z, 1), z));
  }

  static Element legendre(const Element& z) {  // z^((p - 1)/2) = z^(4·(2^252 - 3) + 2)
    return product(square_times(power(z), 2), square_times(z, 1));
  }

  // top/bottom of each of `count` ratios, into top, with one inversion (Montgomery's trick). No
  // bottom is zero.
  static void divide(Ratio* ratios, std::size_t count) {
    Element before[vectors];  // before[i] = bottom[0]·…·bottom[i - 1]
    Element all = Field::constant(1);
    for (std::size_t i = 0; i < count; ++i) {
      before[i] = all;
      all = product(all, ratios[i].bottom);
    }
    Element inverted = inverse(all);  // 1/(bottom[0]·…·bottom[i]), as i descends
    for (std::size_t i = count; i-- > 0;) {
      ratios[i].top = product(ratios[i].top, product(inverted, before[i]));
      inverted = product(inverted, ratios[i].bottom);
    }
  }

  // u-coordinate of scalar·(u, …), as a ratio [RFC7748 §5]. In place of x2, z2, x3, z3 it keeps
  // their sums and differences, so that a reduction serves an addition too.
  static Ratio ladder(const Element& u, const std::uint8_t* scalar) {
    const Element one = Field::constant(1);
    Element a = one, b = one;                         // x2 + z2, x2 - z2 for (x2 : z2) = (1 : 0)
    Element c = sum(u, one), d = difference(u, one);  // x3 + z3, x3 - z3 for (x3 : z3) = (u : 1)
    std::uint64_t swapped = 0;
    for (int t = scalar_bits - 1; t >= 0; --t) {
      const std::uint64_t bit = (scalar[t / 8] >> (t % 8)) & 1;
      Field::swap(0 - (swapped ^ bit), a, c);
      Field::swap(0 - (swapped ^ bit), b, d);
      swapped = bit;
      step(u, a, b, c, d);
    }
    Field::swap(0 - swapped, a, c);
    Field::swap(0 - swapped, b, d);
    return {sum(a, b), difference(a, b)};  // 2·x2, 2·z2
  }

  // Products that do not wait for each other stand side by side, which processors want.
  INLINE static void step(const Element& u, Element& a, Element& b, Element& c, Element& d) {
    const auto wide_aa = Field::square(a), wide_bb = Field::square(b);
    const auto da = Field::multiply(d, a);
    const Element aa = Field::reduce(wide_aa), bb = Field::reduce(wide_bb);
    const Element e = Field::reduce(Field::subtract(wide_aa, wide_bb));
    const auto cb = Field::multiply(c, b);
    const Element g = Field::multiply_add(e, aa);
    const auto x2 = Field::multiply(aa, bb);
    const auto f = Field::square(Field::reduce(Field::subtract(da, cb)));
    const auto x3 = Field::square(Field::reduce(Field::add(da, cb)));
    const auto z2 = Field::multiply(e, g);
    const auto z3 = Field::multiply(Field::reduce(f), u);
    a = Field::reduce(Field::add(x2, z2));
    b = Field::reduce(Field::subtract(x2, z2));
    c = Field::reduce(Field::add(x3, z3));
    d = Field::reduce(Field::subtract(x3, z3));
  }

  // The masks of the lanes where z is the number that `is_it` recognizes in a canonical row.
  template <typename Test>
  static void compare(std::uint64_t* masks, const Element& z, const Test& is_it) {
    Rows rows;
    Field::store(rows.bytes[0], z);
    for (std::size_t lane = 0; lane < lanes; ++lane) masks[lane] = is_it(rows.bytes[lane]);
  }

  // Where n/d is the u-coordinate of a point, not of one on the twist: where
  // (n/d)³ + 486662·(n/d)² + n/d is a square or zero; times d⁴ that is n·d·(n² + 486662·n·d + d²).
  static void mark_on_curve(std::uint64_t* masks, const Element& n, const Element& d) {
    const Element both = product(n, d);
    const Element squares = Field::reduce(Field::add(Field::square(n), Field::square(d)));
    const Element inner = sum(squares, product(both, Field::constant(486662)));
    compare(masks, legendre(product(both, inner)), is_not_minus_one);
  }

  // One vector's part of a multiplication, up to the division; fit[lane] is all ones or zero.
  static void multiply_vector(Ratio& out, std::uint64_t* fit, const std::uint8_t* rows,
                              const std::uint8_t* scalar, bool checked) {
    const Element u = Field::load(rows);
    out = ladder(u, scalar);
    std::uint64_t is_infinite[lanes];
    compare(is_infinite, out.bottom, is_zero);
    out.bottom = Field::choose(is_infinite, Field::constant(1), out.bottom);
    for (std::size_t lane = 0; lane < lanes; ++lane) fit[lane] = ~is_infinite[lane];
    if (!checked) return;
    std::uint64_t on_curve[lanes];
    mark_on_curve(on_curve, u, Field::constant(1));
    for (std::size_t lane = 0; lane < lanes; ++lane) fit[lane] &= on_curve[lane];
  }

  static std::size_t multiply(std::uint8_t* out, const std::uint8_t* elements, std::size_t count,
                              const std::uint8_t* scalar, bool checked) {
    alignas(64) std::uint8_t rows[block_rows * row_bytes] = {};
    std::memcpy(rows, elements, count * row_bytes);
    Ratio ratios[vectors];
    std::uint64_t fit[block_rows];
    const std::size_t used = (count + lanes - 1) / lanes;
    for (std::size_t v = 0; v < used; ++v)
      multiply_vector(ratios[v], fit + v * lanes, rows + v * lanes * row_bytes, scalar, checked);
    for (std::size_t i = 0; i < used * lanes; ++i) fit[i] &= is_canonical(rows + i * row_bytes);
    divide(ratios, used);
    for (std::size_t v = 0; v < used; ++v)
      Field::store(rows + v * lanes * row_bytes, ratios[v].top);
    std::size_t first_unfit = count;
    for (std::size_t i = count; i-- > 0;) {
      fit[i] &= ~is_zero(rows + i * row_bytes);
      clear_unless(fit[i], rows + i * row_bytes);
      if (!fit[i]) first_unfit = i;  // Which rows are unfit is told to everybody.
    }
    std::memcpy(out, rows, count * row_bytes);
    return first_unfit;
  }

  // Elligator 2: x1 = -J/(1 + 2·r²), or -x1 - J = -2·J·r²/(1 + 2·r²) if x1 is on the twist; J is
  // 486662. No bottom is zero, since -1/2 is no square.
  static Ratio map_vector(const std::uint8_t* rows) {
    const Element r = Field::load(rows);
    const Element minus_j = difference(Field::constant(0), Field::constant(486662));
    const Element r2 = square_times(r, 1);
    const Element twice = sum(r2, r2);
    const Element bottom = sum(twice, Field::constant(1));
    std::uint64_t on_curve[lanes];
    mark_on_curve(on_curve, minus_j, bottom);
    return {Field::choose(on_curve, minus_j, product(minus_j, twice)), bottom};
  }

  static void map(std::uint8_t* out, const std::uint8_t* fields, std::size_t count) {
    alignas(64) std::uint8_t rows[block_rows * row_bytes] = {};
    std::memcpy(rows, fields, count * row_bytes);
    Ratio ratios[vectors];
    const std::size_t used = (count + lanes - 1) / lanes;
    for (std::size_t v = 0; v < used; ++v) ratios[v] = map_vector(rows + v * lanes * row_bytes);
    divide(ratios, used);
    for (std::size_t v = 0; v < used; ++v)
      Field::store(rows + v * lanes * row_bytes, ratios[v].top);
    std::memcpy(out, rows, count * row_bytes);
  }
};

}  // namespace
}  // namespace coffer::curve25519
