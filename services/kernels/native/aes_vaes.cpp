// AES on two blocks in each register, sixteen blocks at once.
#include "aes.hpp"

#include <immintrin.h>

namespace coffer {
namespace {

template <int lanes>
inline void encrypt_lanes(const __m256i* rounds, const Block128* in, Block128* out) {
  __m256i state[lanes];
  for (int i = 0; i < lanes; ++i)
    state[i] = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + 2 * i)),
                                rounds[0]);
  for (int round = 1; round < 10; ++round)
    for (int i = 0; i < lanes; ++i) state[i] = _mm256_aesenc_epi128(state[i], rounds[round]);
  for (int i = 0; i < lanes; ++i)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i),
                        _mm256_aesenclast_epi128(state[i], rounds[10]));
}

}  // namespace

void encrypt_vaes(const FixedKey& key, const Block128* in, Block128* out, std::size_t count) {
  __m256i rounds[11];
  for (int round = 0; round < 11; ++round)
    rounds[round] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(key.round[round])));
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) encrypt_lanes<8>(rounds, in + i, out + i);
  for (; i + 2 <= count; i += 2) encrypt_lanes<1>(rounds, in + i, out + i);
  if (i < count) encrypt_avx2(key, in + i, out + i, count - i);
}

}  // namespace coffer
