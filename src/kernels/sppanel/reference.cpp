// One element after the other.
#include "kernels/sppanel/tile.h"

namespace pare::kernels::reference {

void panel_gather(const PanelGather& g) noexcept {
  const int width = kPanelLanes * g.vectors;
  for (int p = 0; p < width; ++p)
    for (std::int64_t i = 0; i < g.count; ++i) g.panel[i * width + p] = g.pixels[p][i] ^ g.flip;
}

void panel_spread(const PanelSpread& s) noexcept {
  const int width = kPanelLanes * s.vectors;
  for (int p = 0; p < s.pixels; ++p)
    for (int c = 0; c < s.channels; ++c) s.rows[p * kPanelLanes + c] = s.sums[(s.channel + c) * width + p];
}

}  // namespace pare::kernels::reference
