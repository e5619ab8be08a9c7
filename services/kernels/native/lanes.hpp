// Many words at once: vectors of 32-bit words, one lane a key, as BLAKE2s and ChaCha want them.
// All of it has internal linkage: a file of one level must not lend its code to another's.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX2__) && !defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace coffer {
namespace {

// How many lanes a vector of this file's level has.
#if defined(__AVX512F__)
constexpr int lane_count = 16;
#elif defined(__AVX2__)
constexpr int lane_count = 8;
#else
constexpr int lane_count = 4;  // SSE2 and NEON have these; elsewhere the compiler splits them
#endif

using Words = std::uint32_t __attribute__((vector_size(4 * lane_count)));

inline Words load_words(const std::uint32_t* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}

inline void store_words(std::uint32_t* to, Words words) { std::memcpy(to, &words, sizeof words); }

inline Words every_lane(std::uint32_t word) { return Words{} + word; }

// Swaps, of rows that are `width` apart, the lanes that stand on the wrong side of the diagonal.
template <int width, int... lane>
inline void transpose_by(Words (&rows)[lane_count], std::integer_sequence<int, lane...> lanes) {
  for (int row = 0; row < lane_count; ++row) {
    if ((row & width) != 0) continue;
    const Words a = rows[row], b = rows[row | width];
    rows[row] = __builtin_shufflevector(
        a, b, ((lane & width) != 0 ? lane_count + (lane ^ width) : lane)...);
    rows[row | width] =
        __builtin_shufflevector(a, b, ((lane & width) != 0 ? lane_count + lane : lane ^ width)...);
  }
  if constexpr (width > 1) transpose_by<width / 2>(rows, lanes);
}

// Transposes a square of words: word i of rows[j] becomes word j of rows[i].
inline void transpose_words(Words (&rows)[lane_count]) {
  transpose_by<lane_count / 2>(rows, std::make_integer_sequence<int, lane_count>());
}

// Each word rotated to the right.
template <int bits>
inline Words rotate_right(Words x) {
#if defined(__AVX2__) && !defined(__AVX512F__)  // AVX-512 rotates; the compiler sees it below
  if constexpr (bits == 16 || bits == 8 || bits == 24) {
    constexpr int by = bits / 8;
    const __m256i places = _mm256_setr_epi8(
        by % 4, (by + 1) % 4, (by + 2) % 4, (by + 3) % 4, 4 + by % 4, 4 + (by + 1) % 4,
        4 + (by + 2) % 4, 4 + (by + 3) % 4, 8 + by % 4, 8 + (by + 1) % 4, 8 + (by + 2) % 4,
        8 + (by + 3) % 4, 12 + by % 4, 12 + (by + 1) % 4, 12 + (by + 2) % 4, 12 + (by + 3) % 4,
        by % 4, (by + 1) % 4, (by + 2) % 4, (by + 3) % 4, 4 + by % 4, 4 + (by + 1) % 4,
        4 + (by + 2) % 4, 4 + (by + 3) % 4, 8 + by % 4, 8 + (by + 1) % 4, 8 + (by + 2) % 4,
        8 + (by + 3) % 4, 12 + by % 4, 12 + (by + 1) % 4, 12 + (by + 2) % 4, 12 + (by + 3) % 4);
    return reinterpret_cast<Words>(_mm256_shuffle_epi8(reinterpret_cast<__m256i>(x), places));
  }
#endif
  return (x >> bits) | (x << (32 - bits));
}

}  // namespace
}  // namespace coffer
