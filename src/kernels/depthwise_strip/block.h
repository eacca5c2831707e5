// What the kernels see of a strip of outputs. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstdint>

#include "kernels/fused_activation.h"

namespace pare::kernels {

inline constexpr int kMostStrip = 8;  ///< outputs of a strip

/// out[i][c] = activation(clamp(bias[c] + Σ in[y][i · step + x][c] · weights[y][x][c] + residual[i][c], lo, hi)), taps
/// in ascending order; columns outside the image are not read.
struct DepthwiseStrip {
  const float* in;           ///< of the image's first column, in the first row that a tap reads
  std::int64_t first;        ///< column of the first tap of the first output, perhaps negative
  std::int64_t columns;      ///< of the image
  std::int64_t row, column;  ///< floats from one row and from one column to the next; `column` of outputs too
  const float* weights;      ///< of the first row that is read, as many lanes as whole vectors have
  std::int64_t weight_row, weight_column;
  int rows, kernel, step;  ///< rows of taps inside the image; taps of a row, 3 or 5; stride, 1 or 2
  const float *bias, *residual;  ///< residual nullptr: none; laid out as out
  float* out;
  int outputs;  ///< from 1 to kMostStrip
  std::int64_t channels;
  float lo, hi;
  FusedActivation activation;
};

}  // namespace pare::kernels
