// BLAKE2s [RFC7693] of many short messages at once: what each level's file offers.
#pragma once

#include "block128.hpp"

namespace coffer {

struct Key {
  const std::uint8_t* data;
  std::size_t size;
};

// Keys as Arrow holds them, and those of them that are wanted.
struct KeyColumn {
  const std::int64_t* offsets;
  const std::uint8_t* data;
  std::size_t size;  // of data
  const std::int64_t* rows;

  Key key(std::size_t i) const {
    const std::int64_t* const at = offsets + rows[i];
    return {data + at[0], static_cast<std::size_t>(at[1] - at[0])};
  }
};

// Of the 16 bytes of salt, 8 are the function's salt and 8 its personalisation.
struct HashKernels {
  // out[i] = the hash of the key rows[i], for i in first…last-1
  void (*keys)(Block128* out, const KeyColumn& keys, std::size_t first, std::size_t last,
               const std::uint8_t* salt);
  // out[width i]… = the first `width` bytes, 16 at most, of the hash of left[i] and right[i]
  void (*pairs)(std::uint8_t* out, std::size_t width, const Block128* left, const Block128* right,
                std::size_t count, const std::uint8_t* salt);
};

extern const HashKernels hash_portable, hash_avx2, hash_avx512;

}  // namespace coffer
