#include "ir/ops/common/spread.h"

#include <algorithm>

namespace pare::ir::ops {
namespace {

template <class Context>
SpreadRule read(const Context& ctx, std::vector<std::int64_t> kernel) {
  const std::size_t rank = kernel.size();
  SpreadRule out{read_window(ctx, std::move(kernel)), ctx.node.ints_or("output_padding", {}),
                 ctx.node.ints_or("output_shape", {})};
  if (out.output_padding.empty()) out.output_padding.assign(rank, 0);
  if (out.output_padding.size() != rank)
    ctx.fail("attribute 'output_padding' has the wrong length", std::to_string(rank),
             std::to_string(out.output_padding.size()));
  // Some exporters list batch and channels too.
  if (out.output_shape.size() == rank + 2)
    out.output_shape.erase(out.output_shape.begin(), out.output_shape.begin() + 2);
  if (!out.output_shape.empty() && out.output_shape.size() != rank)
    ctx.fail("attribute 'output_shape' has the wrong length", std::to_string(rank),
             std::to_string(out.output_shape.size()));
  return out;
}

template <class Context>
Spread resolve_axis(const Context& ctx, const SpreadRule& a, std::size_t axis, std::int64_t in) {
  const Window& w = a.window;
  Spread out{in, 0, w.kernel[axis], w.strides[axis], w.dilations[axis], 0};
  const std::int64_t full = out.stride * (in - 1) + a.output_padding[axis] + (out.kernel - 1) * out.dilation + 1;
  const bool same = w.auto_pad.starts_with("SAME");
  if (same || !a.output_shape.empty()) {
    out.out = a.output_shape.empty() ? in * out.stride : a.output_shape[axis];
    const std::int64_t total = std::max<std::int64_t>(0, full - out.out);
    out.pad = w.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
  } else {
    const bool explicit_pads = w.auto_pad == "NOTSET";
    out.pad = explicit_pads ? w.pads[axis] : 0;
    out.out = full - out.pad - (explicit_pads ? w.pads[axis + w.kernel.size()] : 0);
  }
  if (out.out < 0 || in < 1)
    ctx.fail("output size of spatial axis " + std::to_string(axis) + " is out of range", "0 or more",
             std::to_string(out.out));
  return out;
}

}  // namespace

SpreadRule read_spread(const InferContext& ctx, std::vector<std::int64_t> kernel) {
  return read(ctx, std::move(kernel));
}
SpreadRule read_spread(const EvaluateContext& ctx, std::vector<std::int64_t> kernel) {
  return read(ctx, std::move(kernel));
}

std::vector<Spread> resolve(const EvaluateContext& ctx, const SpreadRule& rule, const Dims& spatial) {
  std::vector<Spread> out;
  for (std::size_t axis = 0; axis < spatial.size(); ++axis) out.push_back(resolve_axis(ctx, rule, axis, spatial[axis]));
  return out;
}

Dim spread_output(const InferContext& ctx, const SpreadRule& rule, std::size_t axis, const Dim& in) {
  if (in.is_known()) return Dim(resolve_axis(ctx, rule, axis, in.value()).out);
  return rule.output_shape.empty() ? Dim() : Dim(rule.output_shape[axis]);
}

}  // namespace pare::ir::ops
