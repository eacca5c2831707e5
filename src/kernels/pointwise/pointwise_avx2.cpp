// Six pixels by two vectors of output channels in twelve sums.
#include "kernels/pointwise/tile.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {
namespace {

using Rows = void (*)(const PointwiseBlock&);

template <int N>
constexpr Rows kRows[] = {pointwise_rows<F32, 1, N>, pointwise_rows<F32, 2, N>, pointwise_rows<F32, 3, N>,
                          pointwise_rows<F32, 4, N>, pointwise_rows<F32, 5, N>, pointwise_rows<F32, 6, N>};

}  // namespace

void pointwise_block(const PointwiseBlock& p) noexcept { pointwise_tile<F32>(p, kRows<1>, kRows<2>); }

}  // namespace pare::kernels::avx2
