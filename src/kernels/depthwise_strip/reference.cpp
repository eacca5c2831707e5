// One output after the other.
#include "kernels/depthwise_strip/block.h"
#include "kernels/unary_fused.h"

namespace pare::kernels::reference {

void depthwise_strip(const DepthwiseStrip& p) noexcept {
  for (int i = 0; i < p.outputs; ++i)
    for (std::int64_t c = 0; c < p.channels; ++c) {
      float sum = p.bias[c];
      for (int y = 0; y < p.rows; ++y)
        for (int x = 0; x < p.kernel; ++x) {
          const std::int64_t column = p.first + i * p.step + x;
          if (column < 0 || column >= p.columns) continue;
          sum += p.in[y * p.row + column * p.column + c] * p.weights[y * p.weight_row + x * p.weight_column + c];
        }
      if (p.residual) sum += p.residual[i * p.column + c];
      sum = sum < p.lo ? p.lo : sum;  // NaN stays
      p.out[i * p.column + c] = activate_one(p.activation, sum > p.hi ? p.hi : sum);
    }
}

}  // namespace pare::kernels::reference
