// Rows of the integer depthwise table and the packed form they read.
#pragma once

#include "kernels/qconv/row.h"
#include "kernels/qdepthwise/pixel.h"
#include "kernels/qdepthwise/qdepthwise.h"

namespace pare::kernels {

struct QDepthwiseKernel {
  const char* name;
  Isa isa;
  std::int64_t lanes;
  void (*pixel)(const QDepthwisePixel&) noexcept;
};

struct QDepthwiseWeights::Packed {
  const QDepthwiseKernel* kernel = nullptr;
  QConvWeights::Packed common;        ///< shape, input type and zero point, bias
  std::vector<std::int16_t> weights;  ///< [taps][channels_padded], w − w_zp: fits 9 bits
  std::int64_t channels_padded = 0;
};

}  // namespace pare::kernels
