#include "ir/ops/common/window.h"

#include <algorithm>

#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

template <class Context>
std::vector<std::int64_t> checked(const Context& ctx, const std::string& attribute, std::size_t count,
                                  std::int64_t fallback, std::int64_t least) {
  std::vector<std::int64_t> values = ctx.node.ints_or(attribute, std::vector<std::int64_t>(count, fallback));
  if (values.size() != count) {
    ctx.fail("attribute '" + attribute + "' has the wrong length", std::to_string(count),
             std::to_string(values.size()));
  }
  for (std::int64_t value : values) {
    if (value < least)
      ctx.fail("attribute '" + attribute + "' is out of range", std::to_string(least) + " or more",
               std::to_string(value));
  }
  return values;
}

template <class Context>
Window read(const Context& ctx, std::vector<std::int64_t> kernel) {
  Window window;
  window.kernel = std::move(kernel);
  const std::size_t rank = window.kernel.size();
  for (std::int64_t size : window.kernel) {
    if (size < 1) ctx.fail("kernel size is out of range", "1 or more", std::to_string(size));
  }
  window.strides = checked(ctx, "strides", rank, 1, 1);
  window.dilations = checked(ctx, "dilations", rank, 1, 1);
  window.pads = checked(ctx, "pads", 2 * rank, 0, 0);
  window.auto_pad = ctx.node.string_or("auto_pad", "NOTSET");
  static const char* const known[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  if (std::ranges::find(known, window.auto_pad) == std::end(known)) {
    ctx.fail("attribute 'auto_pad' is not known", "NOTSET, SAME_UPPER, SAME_LOWER or VALID", window.auto_pad);
  }
  window.ceil_mode = ctx.node.int_or("ceil_mode", 0) != 0;
  return window;
}

template <class Context>
WindowAxis resolve_axis(const Context& ctx, const Window& window, std::size_t axis, std::int64_t in) {
  WindowAxis out{in, 0, window.kernel[axis], window.strides[axis], window.dilations[axis]};
  const std::int64_t reach = out.dilation * (out.kernel - 1) + 1;
  if (window.auto_pad.starts_with("SAME")) {
    out.out = (in + out.stride - 1) / out.stride;
    const std::int64_t total = std::max<std::int64_t>(0, (out.out - 1) * out.stride + reach - in);
    out.pad = window.auto_pad == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
    out.pad_end = total - out.pad;
    return out;
  }
  if (window.auto_pad == "NOTSET") {
    out.pad = window.pads[axis];
    out.pad_end = window.pads[axis + window.kernel.size()];
  }
  const std::int64_t room = in + out.pad + out.pad_end - reach;
  if (room < 0) {
    ctx.fail("window is larger than the padded input on spatial axis " + std::to_string(axis),
             "at most " + std::to_string(room + reach), std::to_string(reach));
  }
  out.out = room / out.stride + 1;
  if (window.ceil_mode && room % out.stride != 0) {
    // A window that would start in the end padding is ignored (ONNX opset 22 text, PyTorch).
    if (out.out * out.stride < in + out.pad) ++out.out;
  }
  return out;
}

}  // namespace

Window read_window(const InferContext& ctx, std::vector<std::int64_t> kernel) { return read(ctx, std::move(kernel)); }
Window read_window(const EvaluateContext& ctx, std::vector<std::int64_t> kernel) {
  return read(ctx, std::move(kernel));
}

std::vector<std::int64_t> weight_kernel(const InferContext& ctx, std::int64_t spatial_rank) {
  const Shape& w = ctx.in(1).shape;
  std::vector<std::int64_t> kernel = ctx.node.ints_or("kernel_shape", {});
  if (!kernel.empty() && static_cast<std::int64_t>(kernel.size()) != spatial_rank) {
    ctx.fail("attribute 'kernel_shape' has the wrong length", std::to_string(spatial_rank),
             std::to_string(kernel.size()));
  }
  for (std::int64_t i = 0; w.ranked() && i < spatial_rank; ++i) {
    if (!w[i + 2].is_known()) return kernel;
    if (static_cast<std::int64_t>(kernel.size()) <= i) kernel.push_back(w[i + 2].value());
    require_same(ctx, Dim(kernel[static_cast<std::size_t>(i)]), w[i + 2], "kernel_shape differs from the weight");
  }
  return kernel;
}

std::vector<WindowAxis> resolve(const EvaluateContext& ctx, const Window& window, const Dims& spatial) {
  std::vector<WindowAxis> out;
  for (std::size_t axis = 0; axis < spatial.size(); ++axis)
    out.push_back(resolve_axis(ctx, window, axis, spatial[axis]));
  return out;
}

Dim window_output(const InferContext& ctx, const Window& window, std::size_t axis, const Dim& in) {
  if (in.is_known()) return Dim(resolve_axis(ctx, window, axis, in.value()).out);
  if (window.strides[axis] != 1) return {};
  if (window.auto_pad.starts_with("SAME")) return in;
  const std::int64_t shrink = window.dilations[axis] * (window.kernel[axis] - 1);
  const std::int64_t pads =
      window.auto_pad == "VALID" ? 0 : window.pads[axis] + window.pads[axis + window.kernel.size()];
  return shrink == pads ? in : Dim();
}

}  // namespace pare::ir::ops
