// One pixel, channel and weight after the other.
#include <algorithm>

#include "kernels/spconv/tile.h"

namespace pare::kernels::reference {

namespace {

/// The sums of one pixel, counted over tiles, and block; `slots` and `data` are those of the block.
void sum_up(const SpConvTiles& t, std::int64_t pixel, const std::uint8_t* slots, const std::uint8_t* data,
            std::int32_t* sums) {
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint8_t* input = t.inputs[(pixel / t.pixels * t.taps + tap) * kSpConvPointers + pixel % t.pixels];
    for (std::int64_t g = 0; g < t.groups; ++g, ++slots)
      for (int slot = 0; slot < *slots; ++slot, data += kSpConvSlot)
        for (int i = 0; i < kSpConvSlot / 2; ++i) {
          const auto weight = static_cast<std::int8_t>(data[kSpConvSlot / 2 + i]);
          if (weight == 0) continue;  // what fills a slot has no index
          const std::uint8_t byte = input[g * kSpConvGroup + data[i]];
          sums[i / 4] += static_cast<std::uint8_t>(byte ^ (t.input_signed ? 0x80 : 0)) * weight;
        }
  }
}

}  // namespace

void spconv_tiles(const SpConvTiles& t) noexcept {
  const std::uint8_t *slots = t.slots, *data = t.data;
  for (std::int64_t first = 0; first < t.channels; first += kSpConvChannels) {
    const QConvFinish finish = qconv_finish_moved(t.finish, 0, first);
    for (int p = 0; p < t.tiles * t.pixels; ++p) {
      std::int32_t sums[kSpConvChannels] = {};
      sum_up(t, p, slots, data, sums);
      qconv_finish(finish, p, static_cast<int>(std::min<std::int64_t>(kSpConvChannels, t.channels - first)), sums);
    }
    for (std::int64_t i = 0; i < t.taps * t.groups; ++i) data += *slots++ * kSpConvSlot;
  }
}

}  // namespace pare::kernels::reference
