#include "keyhash_lanes.hpp"

namespace coffer {

const HashKernels hash_avx2{hash_keys_in_lanes, hash_pairs_in_lanes};

}  // namespace coffer
