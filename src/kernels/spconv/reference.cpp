// One pixel, channel and weight after the other.
#include <algorithm>
#include <cstring>

#include "kernels/spconv/tile.h"

namespace pare::kernels::reference {

namespace {

/// The sums of one pixel, counted over tiles, and block, whose windows and slots are those given.
void sum_up(const SpConvTiles& t, std::int64_t pixel, const std::uint32_t* counts, const SpConvWindow* windows,
            const std::uint8_t* data, std::int32_t* sums) {
  for (std::int64_t line = 0; line < t.lines; ++line) {
    const std::uint8_t* input = t.inputs[(pixel / t.pixels * t.lines + line) * kSpConvPointers + pixel % t.pixels];
    for (std::uint32_t window = 0; window < counts[line]; ++window, ++windows)
      for (int slot = 0; slot < windows->slots; ++slot, data += kSpConvSlot)
        for (int i = 0; i < kSpConvSlot / 2; ++i) {
          const auto weight = static_cast<std::int8_t>(data[kSpConvSlot / 2 + i]);
          if (weight == 0) continue;  // what fills a slot has no index
          const std::uint8_t byte = input[windows->start + data[i]];
          sums[i / 4] += static_cast<std::uint8_t>(byte ^ (t.input_signed ? 0x80 : 0)) * weight;
        }
  }
}

}  // namespace

void spconv_tiles(const SpConvTiles& t) noexcept {
  const std::uint32_t* counts = t.counts;
  const SpConvWindow* windows = t.windows;
  const std::uint8_t* data = t.data;
  for (std::int64_t first = 0; first < t.channels; first += kSpConvChannels) {
    const QConvFinish finish = qconv_finish_moved(t.finish, 0, first);
    for (int p = 0; p < t.tiles * t.pixels; ++p) {
      std::int32_t sums[kSpConvChannels] = {};
      sum_up(t, p, counts, windows, data, sums);
      qconv_finish(finish, p, static_cast<int>(std::min<std::int64_t>(kSpConvChannels, t.channels - first)), sums);
    }
    for (std::int64_t line = 0; line < t.lines; ++line, ++counts)
      for (std::uint32_t window = 0; window < *counts; ++window, ++windows) data += windows->slots * kSpConvSlot;
  }
}

void spconv_arrange(const SpConvArrange& a) noexcept {
  for (int row = 0; row < a.rows; ++row) {
    const auto* from = static_cast<const std::uint8_t*>(a.from) + row * a.from_stride * a.bytes;
    auto* to = static_cast<std::uint8_t*>(a.to) + row * a.to_stride * a.bytes;
    for (int c = 0; c < a.channels; ++c)
      std::memcpy(to + c * a.bytes, from + a.order[c] * a.bytes, static_cast<std::size_t>(a.bytes));
  }
}

}  // namespace pare::kernels::reference
