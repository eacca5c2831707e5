// Conv, with its bias inside the call.
#include "train/window.h"

namespace pare::train {
namespace {

at::Tensor convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const Window& window,
                    std::int64_t groups) {
  const std::vector<std::int64_t> pads = window.pads_for(x.sizes().slice(2));
  const bool symmetric = is_symmetric(pads);
  const at::Tensor padded = symmetric ? x : pad_spatial(x, pads, 0);
  const std::vector<std::int64_t> padding = symmetric
                                                ? std::vector<std::int64_t>(pads.begin(), pads.begin() + window.axes())
                                                : std::vector<std::int64_t>(static_cast<std::size_t>(window.axes()), 0);
  // conv1d … conv3d rather than convolution: autocast knows them on every device.
  switch (window.axes()) {
    case 1:
      return at::conv1d(padded, weight, bias, window.strides, padding, window.dilations, groups);
    case 2:
      return at::conv2d(padded, weight, bias, window.strides, padding, window.dilations, groups);
    default:
      return at::conv3d(padded, weight, bias, window.strides, padding, window.dilations, groups);
  }
}

}  // namespace

Call lower_conv(const LowerContext& context) {
  const ir::Shape& shape = context.graph.value(context.node.input(1)).shape;
  std::vector<std::int64_t> kernel;
  if (shape.ranked()) {
    for (std::int64_t axis = 2; axis < shape.rank(); ++axis)
      kernel.push_back(shape[axis].is_known() ? shape[axis].value() : 0);
  } else if (context.node.find("kernel_shape") == nullptr) {
    context.refuse("the kernel size is not known");
  }
  const Window window = read_window(context, std::move(kernel));
  const std::int64_t groups = context.node.int_or("group", 1);
  return [=, x = context.in(0), w = context.in(1), b = context.in(2), y = context.out()](Frame& frame) {
    frame[y] = convolve(frame[x], frame[w], b == kNoSlot ? at::Tensor() : frame[b], window, groups);
  };
}

}  // namespace pare::train
