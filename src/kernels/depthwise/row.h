// Rows of the depthwise convolutions' table and the packed form they read.
#pragma once

#include <cstddef>

#include "kernels/depthwise/depthwise.h"
#include "kernels/depthwise/strip.h"

namespace pare::kernels {

struct DepthwiseKernel {
  const char* name;
  Isa isa;
  DType type;
  std::int64_t lanes;
  void (*strip)(const DepthwiseStrip&) noexcept;
};

struct alignas(64) DepthwiseLine {
  float values[16] = {};
};

struct DepthwisePacked {
  const DepthwiseKernel* kernel = nullptr;
  std::int64_t channels = 0, taps = 0;
  std::vector<DepthwiseLine> weights, bias;  ///< strip.h; of bfloat16 the even channels of a block first
  std::vector<DepthwiseLine> zeros;          ///< a pixel outside the image, and a block
};

}  // namespace pare::kernels
