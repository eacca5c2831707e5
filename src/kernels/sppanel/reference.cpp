// One element after the other.
#include "kernels/sppanel/tile.h"

namespace pare::kernels::reference {

void panel_gather(const PanelGather& g) noexcept {
  for (int p = 0; p < kPanelLanes * g.vectors; ++p)
    for (std::int64_t i = 0; i < g.count; ++i)
      g.panel[p / kPanelLanes * g.stride + i * kPanelLanes + p % kPanelLanes] = g.pixels[p][i] ^ g.flip;
}

void panel_shift(const PanelShift& s) noexcept {
  for (int p = 0; p < kPanelLanes; ++p) {
    const auto x = static_cast<std::uint64_t>(s.pixels[p] - s.origin);
    const bool inside = x < s.count;
    const std::uint32_t* from = s.from;
    if (inside)
      from += static_cast<std::int64_t>(x) / kPanelLanes * s.stride + static_cast<std::int64_t>(x) % kPanelLanes;
    for (std::int64_t i = 0; i < s.channels; ++i) s.to[i * kPanelLanes + p] = inside ? from[i * kPanelLanes] : 0;
  }
}

void panel_spread(const PanelSpread& s) noexcept {
  for (int p = 0; p < s.pixels; ++p)
    for (int c = 0; c < s.channels; ++c)
      s.rows[p * kPanelLanes + c] = s.sums[p / kPanelLanes * s.stride + c * kPanelLanes + p % kPanelLanes];
}

}  // namespace pare::kernels::reference
