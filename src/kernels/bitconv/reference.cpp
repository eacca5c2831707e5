// One channel and pixel after the other.
#include <algorithm>
#include <bit>

#include "kernels/bitconv/tile.h"

namespace pare::kernels::reference {

void bitconv_encode(const BitEncode& e) noexcept {
  const std::int64_t groups = (e.channels + kBitGroup - 1) / kBitGroup;
  std::fill(e.out, e.out + groups * e.bits + 1, 0u);
  for (std::int64_t c = 0; c < e.channels; ++c) {
    const auto u = static_cast<std::uint32_t>(static_cast<std::uint8_t>(e.in[c] - e.lowest));
    for (int j = 0; j < e.bits; ++j) e.out[c / kBitGroup * e.bits + j] |= (u >> j & 1) << (c % kBitGroup);
    e.out[groups * e.bits] += u;
  }
}

void bitconv_tile(const BitTile& t) noexcept {
  const int masks = t.binary ? 1 : 2;
  for (int p = 0; p < t.pixels; ++p)
    for (int c = 0; c < kBitChannels; ++c) {
      std::int32_t sum = 0, total = 0;
      for (std::int64_t tap = 0; tap < t.taps; ++tap) {
        const std::uint32_t* u = t.inputs[tap * kBitPixels + p];
        total += static_cast<std::int32_t>(u[t.groups * t.bits]);
        for (std::int64_t g = 0; g < t.groups; ++g) {
          const std::uint32_t* w = t.masks + (tap * t.groups + g) * masks * kBitChannels + c;
          for (int j = 0; j < t.bits; ++j) {
            sum += std::popcount(u[g * t.bits + j] & w[0]) << j;
            if (!t.binary) sum -= std::popcount(u[g * t.bits + j] & w[kBitChannels]) << j;
          }
        }
      }
      t.sums[p * kBitChannels + c] = t.binary ? 2 * sum - total : sum;
    }
}

}  // namespace pare::kernels::reference
