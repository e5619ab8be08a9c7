// AES by the processor's instructions, eight blocks at once.
#include <immintrin.h>

#include "aes.hpp"

namespace coffer {
namespace {

template <int lanes>
inline void encrypt_lanes(const __m128i* rounds, const Block128* in, Block128* out) {
  __m128i state[lanes];
  for (int i = 0; i < lanes; ++i)
    state[i] = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i)), rounds[0]);
  for (int round = 1; round < 10; ++round)
    for (int i = 0; i < lanes; ++i) state[i] = _mm_aesenc_si128(state[i], rounds[round]);
  for (int i = 0; i < lanes; ++i)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm_aesenclast_si128(state[i], rounds[10]));
}

}  // namespace

void encrypt_avx2(const FixedKey& key, const Block128* in, Block128* out, std::size_t count) {
  __m128i rounds[11];
  for (int round = 0; round < 11; ++round)
    rounds[round] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(key.round[round]));
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) encrypt_lanes<8>(rounds, in + i, out + i);
  for (; i < count; ++i) encrypt_lanes<1>(rounds, in + i, out + i);
}

}  // namespace coffer
