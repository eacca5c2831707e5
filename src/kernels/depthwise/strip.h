// What a depthwise kernel sees: outputs side by side and the pixels that they read. No inline code: files of different
// instruction sets include it.
#pragma once

#include "kernels/float_epilogue.h"

namespace pare::kernels {

inline constexpr int kDepthwiseStrip = 7;  ///< outputs: 7 divides the widths of most images

struct DepthwiseStrip {
  const void* const* at;  ///< [lines][columns]: channel 0 of what is read, one pixel of zeros outside the image
  int lines, columns;     ///< columns = (outputs − 1) · stride + kw
  int outputs;            ///< kDepthwiseStrip with kw 3 or 5 and stride 1 or 2; else 1
  int stride, kw;
  const float* weights;      ///< [blocks of `lanes` channels][taps][lanes], from the first line's on
  std::int64_t block_taps;   ///< of a whole block
  const float* bias;         ///< [blocks · lanes]
  std::int64_t channels;     ///< also elements from one output to the next
  std::int64_t block_begin, block_end;  ///< blocks of channels that are computed
  std::int64_t first;        ///< element of the first output
  const FloatEpilogue* epilogue;
  void* out;
};

}  // namespace pare::kernels
