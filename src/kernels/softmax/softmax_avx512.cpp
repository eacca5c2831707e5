#include "kernels/softmax/tile.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {

void softmax_row(const float* in, std::int64_t count, float* out) noexcept { softmax_vectors<F32>(in, count, out); }

}  // namespace pare::kernels::avx512
