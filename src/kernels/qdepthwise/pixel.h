// What a depthwise kernel sees: the taps of one output pixel that lie inside the image. No inline code (see
// qconv/tile.h).
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

struct QDepthwisePixel {
  const std::uint8_t* input;  ///< channel 0 of the first tap
  std::int64_t row, column;   ///< bytes from one tap to the next, down and across
  std::int64_t taps_h, taps_w;
  bool input_signed;
  std::int32_t input_zero_point;
  const std::int16_t* weights;             ///< w − w_zp of the first tap, [taps][channels_padded]
  std::int64_t weight_row, weight_column;  ///< elements from one tap to the next
  std::int64_t channels;
  QConvFinish finish;  ///< of channel 0; weight_zero_point is nullptr, row_sum unused
};

}  // namespace pare::kernels
