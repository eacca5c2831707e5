// Rows of the table of depthwise strips and the packed form they read.
#pragma once

#include "base/huge_memory.h"
#include "kernels/depthwise_strip/block.h"
#include "kernels/depthwise_strip/depthwise_strip.h"

namespace pare::kernels {

struct DepthwiseStripKernel {
  const char* name;
  Isa isa;
  std::int64_t lanes;  ///< channels of a vector
  void (*strip)(const DepthwiseStrip&) noexcept;
};

struct DepthwiseStripPacked {
  const DepthwiseStripKernel* kernel = nullptr;
  std::int64_t channels = 0;  ///< in whole vectors
  HugeVector<float> weights;  ///< [taps][channels]
  HugeVector<float> bias;     ///< [channels]
};

}  // namespace pare::kernels
