// One output after the other.
#include "kernels/pointwise/block.h"

namespace pare::kernels::reference {

void pointwise_block(const PointwiseBlock& p) noexcept {
  constexpr std::int64_t kLanes = 8;
  for (int r = 0; r < p.rows; ++r)
    for (std::int64_t k = 0; k < p.columns; ++k) {
      float sum = p.bias[k];
      for (std::int64_t c = 0; c < p.channels; ++c)
        sum += p.in[r * p.channels + c] * p.weights[c * p.vectors * kLanes + k];
      const std::int64_t at = r * p.stride + k;
      if (p.residual) sum += p.residual[at];
      sum = sum < p.lo ? p.lo : sum;  // NaN stays
      p.out[at] = unary_one(p.activation, {}, sum > p.hi ? p.hi : sum);
    }
}

}  // namespace pare::kernels::reference
