// 16 channels at once.
#include "kernels/depthwise/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {

void depthwise_strip(const DepthwiseStrip& s) noexcept { depthwise_outputs<DepthwiseFloats<F32>>(s); }

}  // namespace pare::kernels::avx512
