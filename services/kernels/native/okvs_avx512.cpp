#include "okvs_lanes.hpp"

namespace coffer {

const OkvsRows okvs_rows_avx512 = okvs_rows_in_lanes;

}  // namespace coffer
