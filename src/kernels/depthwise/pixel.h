// What a depthwise kernel sees: the taps of one output pixel that lie inside the image. No inline code: files of
// different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

struct DepthwisePixel {
  const float* input;        ///< channel 0 of the first tap
  std::int64_t row, column;  ///< elements from one tap to the next, down and across
  std::int64_t taps_h, taps_w;
  const float* weights;  ///< of the first tap
  std::int64_t weight_row, weight_column;
  const float* bias;      ///< nullptr: none
  const float* residual;  ///< nullptr: none
  float lo, hi;
  std::int64_t channels;
  float* output;
};

}  // namespace pare::kernels
