// AES-128 under keys that everybody knows: a public permutation, from which PRGs and hashes are
// made.
#pragma once

#include <cstddef>
#include <cstdint>

#include "block128.hpp"

namespace coffer {

struct FixedKey {
  std::uint8_t round[11][16];
};

// out[i] = AES(key, in[i]); `out` may be `in`. What passes is secret: constant time at each level.
void encrypt(const FixedKey& key, const Block128* in, Block128* out, std::size_t count);

void encrypt_portable(const FixedKey& key, const Block128* in, Block128* out, std::size_t count);
void encrypt_avx2(const FixedKey& key, const Block128* in, Block128* out, std::size_t count);
void encrypt_vaes(const FixedKey& key, const Block128* in, Block128* out, std::size_t count);

// The keys: the first digits of pi after the point, 128 bits each, so that nobody chose them.
extern const FixedKey left_key, right_key, stream_key, hash_key, code_key;

// How many blocks the kernels hand to encrypt() at once: what the portable path takes together.
constexpr std::size_t batch = 64;

}  // namespace coffer
