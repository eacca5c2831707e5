// The sliding window of a 2-d convolution or pool.
#pragma once

#include "ir/graph.h"
#include "pare/tensor.h"

namespace pare::runtime {

struct Window {
  std::int64_t kh = 1, kw = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
};

/// From the attributes; auto_pad is resolved by the output's size. in, out: [N, C, H, W]; kernel: {kh, kw}.
Window window_of(const ir::Node& node, const Dims& in, const Dims& out, const std::vector<std::int64_t>& kernel);

}  // namespace pare::runtime
