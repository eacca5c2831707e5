// One pixel, channel and weight after the other.
#include <algorithm>

#include "kernels/qlines/tile.h"

namespace pare::kernels::reference {

void qlines_line(const QLinesLine& t) noexcept {
  const std::int64_t block_bytes = t.kh * t.steps * kQLinesChannels * 4;
  for (std::int64_t first = 0; first < t.channels; first += kQLinesChannels)
    for (std::int64_t p = 0; p < t.pixels; ++p) {
      std::int32_t sums[kQLinesChannels] = {};
      const std::int8_t* w = t.weights + first / kQLinesChannels * block_bytes;
      for (std::int64_t ky = 0; ky < t.kh; ++ky)
        for (std::int64_t step = 0; step < t.steps; ++step)
          for (int i = 0; i < 4 * kQLinesChannels; ++i)
            sums[i / 4] += t.lines[ky][p * t.pixel_bytes + 4 * step + i % 4] * *w++;
      qconv_finish(qconv_finish_moved(t.finish, p, first), 0,
                   static_cast<int>(std::min<std::int64_t>(kQLinesChannels, t.channels - first)), sums);
    }
}

}  // namespace pare::kernels::reference
