#include "field128_carryless.hpp"

namespace coffer {

const FieldKernels field_vaes = field_kernels<Two, One>;

}  // namespace coffer
