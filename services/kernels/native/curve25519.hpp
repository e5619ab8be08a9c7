// The blocks of work on Curve25519 that each code path offers; what they do stands in
// curve25519_blocks.hpp, once for all paths.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer::curve25519 {

constexpr std::size_t block_rows = 64;  // that a block holds at most; they share one inversion

// out[i] = X25519(scalar, elements[i]) for rows of 32 bytes; the scalar is clamped already. Returns
// the first i that is unfit, or count; unfit rows become zero. Twists are refused if `checked`.
using Multiply = std::size_t (*)(std::uint8_t* out, const std::uint8_t* elements, std::size_t count,
                                 const std::uint8_t* scalar, bool checked);

// out[i] = u-coordinate of map_to_curve(fields[i]) for rows of 32 bytes, below 2^255.
using Map = void (*)(std::uint8_t* out, const std::uint8_t* fields, std::size_t count);

struct Path {
  Multiply multiply;
  Map map;
};

extern const Path portable;
extern const Path avx2;  // in builds for x86-64, as the next
extern const Path avx512;

}  // namespace coffer::curve25519
