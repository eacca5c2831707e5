// What the kernels see of some pixels and a panel. No inline code, since files of different instruction sets include
// it.
#pragma once

#include <cstdint>

#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {

/// out[r][k] = activation(clamp(bias[k] + Σ in[r][c] · weights[c][k] + residual[r][k], lo, hi)), channels in ascending order.
struct PointwiseBlock {
  const float* in;
  std::int64_t channels;  ///< also floats from one pixel to the next
  const float* weights;   ///< [channels][vectors · the row's lanes]
  const float* ahead;     ///< what is multiplied next: with each channel a line of it is fetched, and
  std::int64_t step;      ///< `ahead` goes on by so many floats
  const float* bias;      ///< as wide as the panel
  const float* residual;  ///< laid out as out; nullptr: none
  float* out;
  std::int64_t stride;   ///< floats from one pixel of `out` to the next
  std::int64_t columns;  ///< outputs of a pixel, ≤ vectors · lanes
  int rows, vectors;     ///< pixels, from 1; 1 or 2
  float lo, hi;
  UnaryOp activation;
};

}  // namespace pare::kernels
