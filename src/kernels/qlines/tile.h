// What a kernel of the convolution by lines sees. No inline code, since files of different instruction sets include
// it.
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

inline constexpr int kQLinesChannels = 16;  ///< output channels of a block

/// A line of outputs and all of `channels`, by blocks of kQLinesChannels.
struct QLinesLine {
  const std::uint8_t* const* lines;  ///< [kh]: what pixel 0 reads of each line, u8 (s8 x as x + 128), padding in place
  std::int64_t kh, steps;            ///< `steps` times four bytes of a line
  std::int64_t pixel_bytes;          ///< from what one pixel reads to what the next one does
  const std::int8_t* weights;        ///< [blocks][kh][steps][kQLinesChannels][4]
  std::int64_t pixels, channels;
  QConvFinish finish;  ///< of pixel 0 and channel 0; weight_zero_point is nullptr
  bool bounded;        ///< qconv_bounded
};

}  // namespace pare::kernels
