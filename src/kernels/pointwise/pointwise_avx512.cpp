// 14 pixels by two vectors of output channels in 28 sums; a channel's two vectors are read once for them.
#include "kernels/pointwise/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
namespace {

using Rows = void (*)(const PointwiseBlock&);

template <int N>
constexpr Rows kRows[] = {pointwise_rows<F32, 1, N>,  pointwise_rows<F32, 2, N>,  pointwise_rows<F32, 3, N>,
                          pointwise_rows<F32, 4, N>,  pointwise_rows<F32, 5, N>,  pointwise_rows<F32, 6, N>,
                          pointwise_rows<F32, 7, N>,  pointwise_rows<F32, 8, N>,  pointwise_rows<F32, 9, N>,
                          pointwise_rows<F32, 10, N>, pointwise_rows<F32, 11, N>, pointwise_rows<F32, 12, N>,
                          pointwise_rows<F32, 13, N>, pointwise_rows<F32, 14, N>};

}  // namespace

void pointwise_block(const PointwiseBlock& p) noexcept { pointwise_tile<F32>(p, kRows<1>, kRows<2>); }

}  // namespace pare::kernels::avx512
