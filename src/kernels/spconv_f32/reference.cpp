// One weight and pixel after the other.
#include <algorithm>
#include <bit>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::reference {

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  const int width = kPanelLanes * t.vectors;
  const auto* panel = reinterpret_cast<const float*>(t.panel);
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    const PanelPair& pair = t.pairs[n];
    for (std::uint32_t side = 0; side < 2; ++side) {
      float* sums = reinterpret_cast<float*>(t.sums) + pair.channels[side] * static_cast<std::int64_t>(width);
      if (t.first) std::fill(sums, sums + width, 0.0f);
      for (std::uint32_t step = 0; step < pair.count; ++step) {
        const PanelEntry& e = t.entries[pair.first + 2 * step + side];
        const float* x = panel + e.input * static_cast<std::int64_t>(width);
        if (e.weight == 0) continue;  // what fills up a pair
        for (int p = 0; p < width; ++p) sums[p] += std::bit_cast<float>(e.weight) * x[p];
      }
    }
  }
}

}  // namespace pare::kernels::reference
