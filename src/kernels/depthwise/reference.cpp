// One channel after the other.
#include "kernels/depthwise/pixel.h"

namespace pare::kernels::reference {

void depthwise_pixel(const DepthwisePixel& p) noexcept {
  for (std::int64_t c = 0; c < p.channels; ++c) {
    float v = p.bias ? p.bias[c] : 0.0f;
    for (std::int64_t y = 0; y < p.taps_h; ++y) {
      for (std::int64_t x = 0; x < p.taps_w; ++x) {
        v += p.input[y * p.row + x * p.column + c] * p.weights[y * p.weight_row + x * p.weight_column + c];
      }
    }
    if (p.residual) v += p.residual[c];
    v = v < p.lo ? p.lo : v;
    p.output[c] = v > p.hi ? p.hi : v;
  }
}

}  // namespace pare::kernels::reference
