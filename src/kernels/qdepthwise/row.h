// Rows of the integer depthwise table and the packed form they read.
#pragma once

#include "kernels/qconv/row.h"
#include "kernels/qdepthwise/pixel.h"
#include "kernels/qdepthwise/qdepthwise.h"
#include "kernels/qdepthwise/strip.h"

namespace pare::kernels {

struct QDepthwiseKernel {
  const char* name;
  Isa isa;
  std::int64_t lanes;
  void (*pixel)(const QDepthwisePixel&) noexcept;  ///< one of the two
  void (*strip)(const QDepthwiseStrip&) noexcept;
};

struct QDepthwiseWeights::Packed {
  const QDepthwiseKernel* kernel = nullptr;
  QConvWeights::Packed common;  ///< shape, input type and zero point, bias (of a strip kernel: less zero point · Σw)
  PackedArray<std::int16_t> weights;  ///< pixel kernel: [taps][channels_padded], w − w_zp: fits 9 bits
  std::int64_t channels_padded = 0;
  PackedArray<std::int8_t> quads;     ///< strip kernel: [blocks][kh] of what strip_uses() says, 4 · 64 bytes each
  std::vector<std::uint8_t> padding;  ///< strip kernel: a block of zero points, in the input's own type
};

}  // namespace pare::kernels
