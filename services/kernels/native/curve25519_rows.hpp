// Numbers modulo p = 2^255 - 19 as rows of 32 bytes, little-endian, and as five limbs of 51 bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// The arithmetic in the innermost loop is laid out in one piece; a call would spill every register.
#define INLINE inline __attribute__((always_inline))

namespace coffer::curve25519 {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t row_bytes = 32;
constexpr int limbs = 5;
constexpr int limb_bits = 51;
constexpr std::uint64_t limb_mask = (std::uint64_t{1} << limb_bits) - 1;

// The limbs of a row without its bit 255, `stride` apart.
inline void unpack(std::int64_t* out, std::size_t stride, const std::uint8_t* row) {
  std::uint64_t w[4];
  std::memcpy(w, row, sizeof w);
  const std::uint64_t parts[limbs] = {w[0], w[0] >> 51 | w[1] << 13, w[1] >> 38 | w[2] << 26,
                                      w[2] >> 25 | w[3] << 39, w[3] >> 12};
  for (int i = 0; i < limbs; ++i) out[i * stride] = static_cast<std::int64_t>(parts[i] & limb_mask);
}

// Carries each limb's excess into the next, the last one's as 19 times it into the first.
inline void carry(std::int64_t* t) {
  constexpr auto mask = static_cast<std::int64_t>(limb_mask);
  for (int i = 0; i < limbs; ++i) {
    const std::int64_t excess = t[i] >> limb_bits;  // rounded down, also of negative limbs
    t[i] &= mask;
    t[(i + 1) % limbs] += i + 1 < limbs ? excess : 19 * excess;
  }
}

// The canonical row of limbs of either sign, below 2^60, `stride` apart.
inline void pack(std::uint8_t* row, const std::int64_t* in, std::size_t stride) {
  std::int64_t t[limbs];
  for (int i = 0; i < limbs; ++i) t[i] = in[i * stride];
  carry(t);
  carry(t);    // 0 ≤ t < 2^255
  t[0] += 19;  // reaches 2^255, and so loses p in the next carry, if and only if t ≥ p
  carry(t);
  t[0] -= 19;
  carry(t);
  const std::uint64_t parts[limbs] = {
      static_cast<std::uint64_t>(t[0]), static_cast<std::uint64_t>(t[1]),
      static_cast<std::uint64_t>(t[2]), static_cast<std::uint64_t>(t[3]),
      static_cast<std::uint64_t>(t[4])};
  const std::uint64_t w[4] = {parts[0] | parts[1] << 51, parts[1] >> 13 | parts[2] << 38,
                              parts[2] >> 26 | parts[3] << 25, parts[3] >> 39 | parts[4] << 12};
  std::memcpy(row, w, sizeof w);
}

// The following return a mask, all ones if it is so and zero if not.

inline std::uint64_t is_zero(const std::uint8_t* row) {
  std::uint64_t w[4];
  std::memcpy(w, row, sizeof w);
  const std::uint64_t any = w[0] | w[1] | w[2] | w[3];
  return 0 - (1 ^ ((any | (0 - any)) >> 63));
}

// Whether a canonical row is not p - 1.
inline std::uint64_t is_not_minus_one(const std::uint8_t* row) {
  std::uint64_t w[4];
  std::memcpy(w, row, sizeof w);
  const std::uint64_t any =
      (w[0] ^ (0 - std::uint64_t{20})) | ~w[1] | ~w[2] | (w[3] ^ (~std::uint64_t{0} >> 1));
  return 0 - ((any | (0 - any)) >> 63);
}

// Whether a row is below p. Rows are told to the peer or come from it: it may take any time.
inline std::uint64_t is_canonical(const std::uint8_t* row) {
  std::uint64_t w[4];
  std::memcpy(w, row, sizeof w);
  const bool is_below = w[3] < ~std::uint64_t{0} >> 1 || w[2] != ~std::uint64_t{0} ||
                        w[1] != ~std::uint64_t{0} || w[0] < 0 - std::uint64_t{19};
  return 0 - static_cast<std::uint64_t>(w[3] >> 63 == 0 && is_below);
}

inline void clear_unless(std::uint64_t mask, std::uint8_t* row) {
  std::uint64_t w[4];
  std::memcpy(w, row, sizeof w);
  for (std::uint64_t& word : w) word &= mask;
  std::memcpy(row, w, sizeof w);
}

}  // namespace
}  // namespace coffer::curve25519
