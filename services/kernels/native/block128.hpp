// Blocks of 128 bits, which are also the elements of GF(2^128): bit i stands for x^i.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffer {

// Two words, the low one first. Columns may lie at any address, as those in a message do.
using Block128 = std::uint64_t __attribute__((vector_size(16), aligned(1), may_alias));

// A file is compiled for a level of its own, so each keeps its copy of these to itself.
namespace {

inline Block128 zero128() { return Block128{0, 0}; }

// All ones if the bit is 1, all zeros if it is 0.
inline Block128 mask128(std::uint64_t bit) { return Block128{0 - bit, 0 - bit}; }

// All ones if a = b, else all zeros.
inline Block128 equal128(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t differs = a ^ b;
  return mask128(1 ^ (differs | (0 - differs)) >> 63);
}

// a times x modulo x^128 + x^7 + x^2 + x + 1
inline Block128 times_x(Block128 a) {
  const std::uint64_t low = a[0], high = a[1];
  return Block128{(low << 1) ^ (0x87 & (0 - (high >> 63))), (high << 1) | (low >> 63)};
}

}  // namespace
}  // namespace coffer
