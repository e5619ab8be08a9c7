#include "keyhash_lanes.hpp"

namespace coffer {

void hash_keys_avx512(Block128* out, const KeyColumn& keys, std::size_t first, std::size_t last,
                      const std::uint8_t* salt) {
  hash_keys_in_lanes(out, keys, first, last, salt);
}

}  // namespace coffer
