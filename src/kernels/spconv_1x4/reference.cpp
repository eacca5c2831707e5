// One block of four and pixel after the other.
#include "kernels/spconv_1x4/tile.h"

namespace pare::kernels::reference {

void spconv_1x4_multiply(const PanelProduct& t) noexcept {
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    const PanelPair& pair = t.pairs[n];
    for (std::uint32_t side = 0; side < 2; ++side)
      for (int p = 0; p < kPanelLanes * t.vectors; ++p) {
        const auto of = [p](std::int64_t stride, std::int64_t row) {
          return p / kPanelLanes * stride + row * kPanelLanes + p % kPanelLanes;
        };
        std::int32_t& sum = reinterpret_cast<std::int32_t*>(t.sums)[of(t.sum_stride, pair.channels[side])];
        if (t.first) sum = 0;
        for (std::uint32_t step = 0; step < pair.count; ++step) {
          const std::int64_t at = pair.first + 2 * step + side;
          const std::uint32_t x = t.inputs[of(t.input_stride, t.which[at])];
          for (int i = 0; i < 32; i += 8)
            sum += static_cast<std::uint8_t>(x >> i) * static_cast<std::int8_t>(t.weights[at] >> i);
        }
      }
  }
}

void spconv_1x4_finish(const SpConv1x4Finish& f) noexcept {
  for (std::int64_t c = 0; c < f.channels; c += 16) spconv_1x4_finish_rows(Isa::kScalar, f, c);
}

}  // namespace pare::kernels::reference
