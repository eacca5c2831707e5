// One channel after the other.
#include "kernels/qdepthwise/pixel.h"

namespace pare::kernels::reference {

void qdepthwise_pixel(const QDepthwisePixel& p) noexcept {
  for (std::int64_t c = 0; c < p.channels; ++c) {
    std::int32_t acc = 0;
    for (std::int64_t y = 0; y < p.taps_h; ++y) {
      for (std::int64_t x = 0; x < p.taps_w; ++x) {
        const std::uint8_t byte = p.input[y * p.row + x * p.column + c];
        const std::int32_t value = p.input_signed ? static_cast<std::int8_t>(byte) : byte;
        acc += (value - p.input_zero_point) * p.weights[y * p.weight_row + x * p.weight_column + c];
      }
    }
    qconv_finish_from(p.finish, c, 1, &acc);
  }
}

}  // namespace pare::kernels::reference
