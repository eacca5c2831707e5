// Eight sums, the weights of a row of taps and an input: 14 of 16 registers.
#include "kernels/depthwise_strip/strip.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {

void depthwise_strip(const DepthwiseStrip& p) noexcept { depthwise_strip_of<F32>(p); }

}  // namespace pare::kernels::avx2
