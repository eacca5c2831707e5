// Max and average pooling over sliding windows and over whole images.
#include <algorithm>
#include <limits>

#include "train/window.h"

namespace pare::train {
namespace {

/// LibTorch pads at most half a window, the same on both sides; anything else is padded beforehand.
bool pads_inside(const Window& window, const std::vector<std::int64_t>& pads) {
  if (!is_symmetric(pads)) return false;
  for (std::size_t i = 0; i < window.kernel.size(); ++i) {
    if (pads[i] > window.kernel[i] / 2) return false;
  }
  return true;
}

std::vector<std::int64_t> begins(const std::vector<std::int64_t>& pads) {
  return {pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(pads.size() / 2)};
}

at::Tensor max_pool(const at::Tensor& x, const Window& window, bool ceil_mode) {
  const std::vector<std::int64_t> pads = window.pads_for(x.sizes().slice(2));
  const bool inside = pads_inside(window, pads);
  const at::Tensor input = inside ? x : pad_spatial(x, pads, -std::numeric_limits<double>::infinity());
  const std::vector<std::int64_t> padding = inside ? begins(pads) : std::vector<std::int64_t>(window.kernel.size(), 0);
  switch (window.axes()) {
    case 1:
      return at::max_pool1d(input, window.kernel, window.strides, padding, window.dilations, ceil_mode);
    case 2:
      return at::max_pool2d(input, window.kernel, window.strides, padding, window.dilations, ceil_mode);
    default:
      return at::max_pool3d(input, window.kernel, window.strides, padding, window.dilations, ceil_mode);
  }
}

at::Tensor average(const at::Tensor& x, const Window& window, const std::vector<std::int64_t>& padding, bool ceil_mode,
                   bool include_pad) {
  switch (window.axes()) {
    case 1:
      return at::avg_pool1d(x, window.kernel, window.strides, padding, ceil_mode, include_pad);
    case 2:
      return at::avg_pool2d(x, window.kernel, window.strides, padding, ceil_mode, include_pad);
    default:
      return at::avg_pool3d(x, window.kernel, window.strides, padding, ceil_mode, include_pad);
  }
}

at::Tensor average_pool(const at::Tensor& x, const Window& window, bool ceil_mode, bool include_pad) {
  const std::vector<std::int64_t> pads = window.pads_for(x.sizes().slice(2));
  if (pads_inside(window, pads)) return average(x, window, begins(pads), ceil_mode, include_pad);
  const std::vector<std::int64_t> none(window.kernel.size(), 0);
  const at::Tensor mean = average(pad_spatial(x, pads, 0), window, none, ceil_mode, true);
  if (include_pad) return mean;
  // Padded pixels count as zeros in `mean`; dividing by the share of real pixels takes them out of the divisor again.
  const at::Tensor share = average(pad_spatial(at::ones_like(x.detach()), pads, 0), window, none, ceil_mode, true);
  return mean / share;
}

std::vector<std::int64_t> spatial_axes(const at::Tensor& x) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

Call lower_max_pool(const LowerContext& context) {
  context.only_first_output();
  const Window window = read_window(context, {});
  const bool ceil_mode = context.node.int_or("ceil_mode", 0) != 0;
  return unary(context, [=](const at::Tensor& x) { return max_pool(x, window, ceil_mode); });
}

Call lower_average_pool(const LowerContext& context) {
  const Window window = read_window(context, {});
  if (std::any_of(window.dilations.begin(), window.dilations.end(), [](std::int64_t d) { return d != 1; })) {
    context.refuse("dilated average pooling is not supported");
  }
  const bool ceil_mode = context.node.int_or("ceil_mode", 0) != 0;
  const bool include_pad = context.node.int_or("count_include_pad", 0) != 0;
  return unary(context, [=](const at::Tensor& x) { return average_pool(x, window, ceil_mode, include_pad); });
}

Call lower_global_average_pool(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::mean(x, spatial_axes(x), true); });
}

Call lower_global_max_pool(const LowerContext& context) {
  return unary(context, [](const at::Tensor& x) { return at::amax(x, spatial_axes(x), true); });
}

}  // namespace pare::train
