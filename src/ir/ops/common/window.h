// Geometry of sliding windows (convolution and pooling): pads, strides, dilations, auto_pad, ceil_mode.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// One spatial axis of a window operator on concrete sizes.
struct WindowAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1;
  std::int64_t pad = 0, pad_end = 0;
  /// Input coordinate that kernel element k of output o reads; may lie in the padding.
  std::int64_t source(std::int64_t o, std::int64_t k) const { return o * stride - pad + k * dilation; }
};

/// The attributes, checked: one entry per spatial axis. `kernel` comes from kernel_shape or the weight. Throws
/// Error(kBadInput) through `ctx` when a list has the wrong length or a value is out of range.
struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads;  ///< pads: all begins, then all ends
  std::string auto_pad;
  bool ceil_mode = false;
};
Window read_window(const InferContext& ctx, std::vector<std::int64_t> kernel);
Window read_window(const EvaluateContext& ctx, std::vector<std::int64_t> kernel);

/// Kernel sizes of a weight [·, ·, kernel…] (input 1), or of kernel_shape, which must agree with it; shorter than
/// `spatial_rank` when neither tells.
std::vector<std::int64_t> weight_kernel(const InferContext& ctx, std::int64_t spatial_rank);

/// Sizes and pads for concrete spatial input sizes. Throws when the window does not fit.
std::vector<WindowAxis> resolve(const EvaluateContext& ctx, const Window& window, const Dims& spatial);
/// Output size of one axis, symbols kept where the axis keeps its size.
Dim window_output(const InferContext& ctx, const Window& window, std::size_t axis, const Dim& in);

}  // namespace pare::ir::ops
