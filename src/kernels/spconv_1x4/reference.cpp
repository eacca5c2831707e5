// One block of four and pixel after the other.
#include <algorithm>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::reference {

void spconv_1x4_multiply(const PanelProduct& t) noexcept {
  const int width = kPanelLanes * t.vectors;
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    const PanelPair& pair = t.pairs[n];
    for (std::uint32_t side = 0; side < 2; ++side) {
      auto* sums = reinterpret_cast<std::int32_t*>(t.sums) + pair.channels[side] * static_cast<std::int64_t>(width);
      if (t.first) std::fill(sums, sums + width, 0);
      for (std::uint32_t step = 0; step < pair.count; ++step) {
        const PanelEntry& e = t.entries[pair.first + 2 * step + side];
        for (int p = 0; p < width; ++p) {
          const std::uint32_t x = t.panel[e.input * static_cast<std::int64_t>(width) + p];
          for (int i = 0; i < 32; i += 8)
            sums[p] += static_cast<std::uint8_t>(x >> i) * static_cast<std::int8_t>(e.weight >> i);
        }
      }
    }
  }
}

}  // namespace pare::kernels::reference
