// One pixel, channel and weight after the other.
#include <algorithm>

#include "kernels/spconv/tile.h"

namespace pare::kernels::reference {

void spconv_tile(const SpConvTile& t) noexcept {
  for (int p = 0; p < t.pixels; ++p) {
    std::int32_t sums[kSpConvChannels] = {};
    const std::uint8_t *slots = t.slots, *data = t.data;
    for (std::int64_t tap = 0; tap < t.taps; ++tap) {
      const std::uint8_t* input = t.inputs[tap * kSpConvPixels + p];
      for (std::int64_t g = 0; g < t.groups; ++g, ++slots) {
        for (int slot = 0; slot < *slots; ++slot, data += kSpConvSlot) {
          for (int i = 0; i < kSpConvSlot / 2; ++i) {
            const auto weight = static_cast<std::int8_t>(data[kSpConvSlot / 2 + i]);
            if (weight == 0) continue;  // what fills a slot has no index
            const std::uint8_t byte = input[g * kSpConvGroup + data[i]];
            sums[i / 4] += static_cast<std::uint8_t>(byte ^ (t.input_signed ? 0x80 : 0)) * weight;
          }
        }
      }
    }
    qconv_finish(t.finish, p, t.channels, sums);
  }
}

}  // namespace pare::kernels::reference
