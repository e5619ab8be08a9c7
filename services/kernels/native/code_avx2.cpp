// Two steps of the convolution at once: a register holds two places, and takes from both steps.
#include <immintrin.h>

#include "code.hpp"

namespace coffer {
namespace {

inline __m128i load(const Block128* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

inline void store(Block128* to, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), value);
}

// a times the mixer
inline __m128i mix(__m128i a) {
  const __m128i by = _mm_set_epi64x(0, mixer), modulus = _mm_set_epi64x(0, 0x87);
  const __m128i low = _mm_clmulepi64_si128(a, by, 0x00), high = _mm_clmulepi64_si128(a, by, 0x01);
  const __m128i over = _mm_clmulepi64_si128(_mm_srli_si128(high, 8), modulus, 0x00);
  return _mm_xor_si128(_mm_xor_si128(low, over), _mm_slli_si128(high, 8));
}

// a, or zero, in each half: as the top bit of the half's words says
inline __m256i choose(__m256i a, __m256i bits) {
  return _mm256_castpd_si256(
      _mm256_blendv_pd(_mm256_setzero_pd(), _mm256_castsi256_pd(a), _mm256_castsi256_pd(bits)));
}

inline void step_twice(Block128* x, std::uint32_t choices0, std::uint32_t choices1) {
  const __m128i first = load(x);
  const __m128i chosen = _mm_set1_epi64x(-static_cast<long long>(choices0 & 1));
  const __m128i second = _mm_xor_si128(load(x + 1), _mm_and_si128(first, chosen));
  store(x + 1, second);
  const __m256i wide0 = _mm256_broadcastsi128_si256(first);
  const __m256i wide1 = _mm256_broadcastsi128_si256(second);
  // The place behind the first's taps is multiplied before the second is added to it.
  const __m128i behind = mix(_mm_xor_si128(load(x + taps + 1), first));

  // Bits 62 and 63, shifted up pair by pair, say what the places 2 p + 2 and 2 p + 3 take: of the
  // first, the taps 2 p + 2 and 2 p + 3, at bits 2 p + 1 and 2 p + 2; of the second, one less each.
  const __m256i bits0 = _mm256_set1_epi64x((choices0 & tap_mask) >> 1);
  const __m256i bits1 = _mm256_set1_epi64x(choices1 & tap_mask);
  __m256i shift = _mm256_set_epi64x(62, 62, 63, 63);
  const __m256i two = _mm256_set1_epi64x(2);
#pragma GCC unroll 12
  for (unsigned place = 2; place <= taps; place += 2, shift = _mm256_sub_epi64(shift, two)) {
    __m256i* const at = reinterpret_cast<__m256i*>(x + place);
    __m256i pair = place < taps ? _mm256_loadu_si256(at) : _mm256_set_m128i(behind, load(x + taps));
    pair = _mm256_xor_si256(pair, choose(wide0, _mm256_sllv_epi64(bits0, shift)));
    pair = _mm256_xor_si256(pair, choose(wide1, _mm256_sllv_epi64(bits1, shift)));
    _mm256_storeu_si256(at, pair);
  }
  store(x + taps + 2, mix(_mm_xor_si128(load(x + taps + 2), second)));
}

inline __m256i load(const Pair128* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

inline void store(Pair128* to, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
}

inline __m256i mix(__m256i a) {
  return _mm256_set_m128i(mix(_mm256_extracti128_si256(a, 1)), mix(_mm256_castsi256_si128(a)));
}

inline void step_twice(Pair128* x, std::uint32_t choices0, std::uint32_t choices1) {
  // Bit 63, as each place shifts it up, says what that place takes.
  const __m256i bits0 = _mm256_set1_epi64x(choices0), bits1 = _mm256_set1_epi64x(choices1);
  const __m256i first = load(x);
  const __m256i second = _mm256_xor_si256(load(x + 1), choose(first, _mm256_slli_epi64(bits0, 63)));
  store(x + 1, second);
#pragma GCC unroll 24
  for (unsigned place = 2; place <= taps; ++place) {
    const __m256i of_first = choose(first, _mm256_slli_epi64(bits0, 64 - place));
    const __m256i of_second = choose(second, _mm256_slli_epi64(bits1, 65 - place));
    store(x + place, _mm256_xor_si256(_mm256_xor_si256(load(x + place), of_first), of_second));
  }
  const __m256i behind = mix(_mm256_xor_si256(load(x + taps + 1), first));
  store(x + taps + 1,
        _mm256_xor_si256(behind, choose(second, _mm256_slli_epi64(bits1, 64 - taps))));
  store(x + taps + 2, mix(_mm256_xor_si256(load(x + taps + 2), second)));
}

template <typename Entry>
inline void convolve_evenly(Entry* x, std::size_t count, const std::uint32_t* choices) {
  for (std::size_t i = 0; i < count; i += 2) step_twice(x + i, choices[i], choices[i + 1]);
}

}  // namespace

void convolve_avx2(Block128* x, std::size_t first, std::size_t count,
                   const std::uint32_t* choices) {
  convolve_evenly(x + first, count, choices);
}

void convolve_avx2(Pair128* x, std::size_t first, std::size_t count, const std::uint32_t* choices) {
  convolve_evenly(x + first, count, choices);
}

}  // namespace coffer
