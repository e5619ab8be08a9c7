// The linear hash sum_j point^j v[j] over GF(2^128), by which long vectors are compared.
#pragma once

#include <cstddef>

#include "block128.hpp"

namespace coffer {

// The blocks may be secret: constant time at each level.
Block128 evaluate_portable(const Block128* v, std::size_t count, Block128 point);
Block128 evaluate_avx2(const Block128* v, std::size_t count, Block128 point);

}  // namespace coffer
