#include "okvs_lanes.hpp"

namespace coffer {

const OkvsRows okvs_rows_avx2 = okvs_rows_in_lanes;

}  // namespace coffer
