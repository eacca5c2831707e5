// One weight and pixel after the other.
#include <bit>

#include "kernels/spconv_f32/tile.h"

namespace pare::kernels::reference {
namespace {

float clamped(float v, float lo, float hi) noexcept {
  v = v < lo ? lo : v;  // NaN stays
  return v > hi ? hi : v;
}

void channel(const PanelProduct& t, const PanelPair& pair, std::uint32_t side, int vector) noexcept {
  const std::int64_t c = pair.channels[side];
  float* sums = reinterpret_cast<float*>(t.sums) + vector * t.sum_stride + c * kPanelLanes;
  const float* inputs = reinterpret_cast<const float*>(t.inputs) + vector * t.input_stride;
  for (int p = 0; p < kPanelLanes; ++p) {
    float sum = t.first ? t.ends->bias[c] : sums[p];
    if (t.first && t.ends->added)
      sum += reinterpret_cast<const float*>(t.ends->added)[vector * t.ends->stride + c * kPanelLanes + p];
    for (std::uint32_t step = 0; step < pair.count; ++step) {
      const std::int64_t at = pair.first + 2 * step + side;
      if (t.weights[at] == 0) continue;  // what fills up a pair
      sum += std::bit_cast<float>(t.weights[at]) * inputs[t.which[at] * kPanelLanes + p];
    }
    sums[p] = t.last && t.ends->clamps ? clamped(sum, t.ends->lo, t.ends->hi) : sum;
  }
}

}  // namespace

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  for (std::int64_t n = 0; n < t.pair_count; ++n)
    for (std::uint32_t side = 0; side < 2; ++side)
      for (int v = 0; v < t.vectors; ++v) channel(t, t.pairs[n], side, v);
}

void spconv_f32_finish(const SpConvF32Finish& f) noexcept {
  for (int p = 0; p < f.pixels; ++p)
    for (std::int64_t c = 0; c < f.channels; ++c) {
      const float sum = f.sums[p / kPanelLanes * f.sum_stride + c * kPanelLanes + p % kPanelLanes];
      f.out[p * f.row + c] = clamped(f.residual ? sum + f.residual[p * f.row + c] : sum, f.lo, f.hi);
    }
}

}  // namespace pare::kernels::reference
