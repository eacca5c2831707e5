// One channel after the other.
#include "kernels/depthwise/strip.h"

namespace pare::kernels::reference {

void depthwise_strip(const DepthwiseStrip& s) noexcept {
  const FloatEpilogue& e = *s.epilogue;
  for (std::int64_t c = s.block_begin; c < s.block_end; ++c)  // a channel a block
    for (int r = 0; r < s.outputs; ++r) {
      float v = s.bias[c];
      for (int line = 0; line < s.lines; ++line)
        for (int x = 0; x < s.kw; ++x)
          v += static_cast<const float*>(s.at[line * s.columns + r * s.stride + x])[c] *
               s.weights[c * s.block_taps + line * s.kw + x];
      const std::int64_t at = s.first + r * s.channels + c;
      v = unary_one(e.activation, {}, v);
      if (e.residual) v += static_cast<const float*>(e.residual)[at];
      v = v < e.lo ? e.lo : v;
      static_cast<float*>(s.out)[at] = v > e.hi ? e.hi : v;
    }
}

}  // namespace pare::kernels::reference
