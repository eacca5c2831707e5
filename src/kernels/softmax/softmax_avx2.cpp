#include "kernels/softmax/tile.h"
#include "kernels/vec_avx2.h"

namespace pare::kernels::avx2 {

void softmax_row(const float* in, std::int64_t count, float* out) noexcept { softmax_vectors<F32>(in, count, out); }

}  // namespace pare::kernels::avx2
