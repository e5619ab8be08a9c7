#include "field128_carryless.hpp"

namespace coffer {

const FieldKernels field_avx2 = field_kernels<One, One>;

}  // namespace coffer
