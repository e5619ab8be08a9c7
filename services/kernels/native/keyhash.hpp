// BLAKE2s [RFC7693] over many keys at once: what each level's file offers.
#pragma once

#include "block128.hpp"

namespace coffer {

// Keys as Arrow holds them, and those of them that are wanted.
struct KeyColumn {
  const std::int64_t* offsets;
  const std::uint8_t* data;
  const std::int64_t* rows;
};

// out[i] = the hash of the key rows[i], for i in first…last-1; salt has 16 bytes.
using HashKeys = void(Block128* out, const KeyColumn& keys, std::size_t first, std::size_t last,
                      const std::uint8_t* salt);

HashKeys hash_keys_portable;
HashKeys hash_keys_avx2;
HashKeys hash_keys_avx512;

}  // namespace coffer
