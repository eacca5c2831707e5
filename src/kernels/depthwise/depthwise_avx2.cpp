// 8 channels at once.
#include "kernels/depthwise/tile.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {

void depthwise_strip(const DepthwiseStrip& s) noexcept { depthwise_outputs<DepthwiseFloats<F32>>(s); }

}  // namespace pare::kernels::avx2
