// What the kernels of one panel see. No inline code, since files of different instruction sets include it.
#pragma once

#include "kernels/sppanel/tile.h"

namespace pare::kernels {

/// out[p · row + c] = clamp(sum of pixel p and channel c + residual[p · row + c], lo, hi); NaN stays. Sums lie as
/// PanelProduct has them.
struct SpConvF32Finish {
  const float* sums;
  std::int64_t sum_stride;
  int pixels;
  std::int64_t channels;
  const float* residual;  ///< nullptr: none; may be out
  float* out;
  std::int64_t row;
  float lo, hi;
};

}  // namespace pare::kernels
