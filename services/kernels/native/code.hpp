// One pass of the convolution of the expand-convolute code, see code.cpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "block128.hpp"

namespace coffer {

constexpr unsigned taps = 24;  // the state of the convolution
constexpr std::uint32_t tap_mask = (1u << taps) - 1;

// What the place behind the taps is multiplied by: 2^32 over the golden ratio, so dense.
constexpr std::uint32_t mixer = 0x9e3779b9;

// Two vectors, entry by entry, so that they are compressed at once.
struct Pair128 {
  Block128 first, second;
};

// Adds x[i] to those of x[i + 1]…x[i + 24] that the bits of choices[i - first] name, and to
// x[i + 25], which is then multiplied by the mixer; for i = first…first + count - 1, an even
// count, without wrapping around: first + count + 26 <= the size.
void convolve_avx2(Block128* x, std::size_t first, std::size_t count, const std::uint32_t* choices);
void convolve_avx2(Pair128* x, std::size_t first, std::size_t count, const std::uint32_t* choices);

}  // namespace coffer
