#include "train/window.h"

#include <algorithm>

namespace pare::train {

Window read_window(const LowerContext& context, std::vector<std::int64_t> kernel) {
  Window window;
  window.kernel = context.node.ints_or("kernel_shape", std::move(kernel));
  const std::size_t axes = window.kernel.size();
  if (axes < 1 || axes > 3) context.refuse(std::to_string(axes) + " spatial axes; 1 to 3 can be trained");
  window.strides = context.node.ints_or("strides", std::vector<std::int64_t>(axes, 1));
  window.dilations = context.node.ints_or("dilations", std::vector<std::int64_t>(axes, 1));
  window.auto_pad = context.node.string_or("auto_pad", "NOTSET");
  if (window.auto_pad == "NOTSET") {
    window.pads = context.node.ints_or("pads", std::vector<std::int64_t>(2 * axes, 0));
  } else if (window.auto_pad == "VALID") {
    window.pads.assign(2 * axes, 0);
  } else if (window.auto_pad != "SAME_UPPER" && window.auto_pad != "SAME_LOWER") {
    context.refuse("auto_pad '" + window.auto_pad + "' is unknown");
  }
  if (!window.pads.empty()) window.auto_pad.clear();
  const bool negative = std::any_of(window.pads.begin(), window.pads.end(), [](std::int64_t pad) { return pad < 0; });
  if (negative || window.strides.size() != axes || window.dilations.size() != axes ||
      (!window.pads.empty() && window.pads.size() != 2 * axes)) {
    context.refuse("strides, dilations and pads do not fit " + std::to_string(axes) + " spatial axes");
  }
  return window;
}

std::vector<std::int64_t> Window::pads_for(at::IntArrayRef sizes) const {
  if (auto_pad.empty()) return pads;
  // SAME: as many outputs as ceil(size / stride); an odd pixel of padding goes to the end (UPPER) or the beginning
  // (LOWER).
  const std::size_t axes = kernel.size();
  std::vector<std::int64_t> result(2 * axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t outputs = (sizes[i] + strides[i] - 1) / strides[i];
    const std::int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
    const std::int64_t total = std::max<std::int64_t>(0, (outputs - 1) * strides[i] + reach - sizes[i]);
    const std::int64_t small = total / 2, large = total - small;
    result[i] = auto_pad == "SAME_UPPER" ? small : large;
    result[axes + i] = auto_pad == "SAME_UPPER" ? large : small;
  }
  return result;
}

bool is_symmetric(const std::vector<std::int64_t>& pads) {
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  return std::equal(pads.begin(), pads.begin() + half, pads.begin() + half);
}

at::Tensor pad_spatial(const at::Tensor& x, const std::vector<std::int64_t>& pads, double value) {
  const std::size_t axes = pads.size() / 2;
  std::vector<std::int64_t> torch_order;  // last axis first, begin and end together
  for (std::size_t i = axes; i-- > 0;) {
    torch_order.push_back(pads[i]);
    torch_order.push_back(pads[axes + i]);
  }
  return at::constant_pad_nd(x, torch_order, value);
}

}  // namespace pare::train
