// Squeeze: drops axes of size 1 (all of them when none are given). Axes are an input from opset 13.
#include <algorithm>

#include "ir/ops/common/reshape.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  const auto axes = ints_of(ctx, "axes", 1, ctx.opset >= 13);
  if (!x.ranked() || !axes) return;
  std::vector<bool> drop(static_cast<std::size_t>(x.rank()));
  for (std::int64_t axis : *axes) drop[static_cast<std::size_t>(normalize_axis(ctx, axis, x.rank()))] = true;
  std::vector<Dim> dims;
  for (std::size_t i = 0; i < drop.size(); ++i) {
    const Dim& dim = x[static_cast<std::int64_t>(i)];
    if (axes->empty() && !dim.is_known()) return;  // whether it goes is not known
    if (drop[i] && dim.is_known() && dim.value() != 1)
      ctx.fail("axis " + std::to_string(i) + " cannot be squeezed", "size 1", to_string(dim));
    if (!drop[i] && !(axes->empty() && dim == Dim(1))) dims.push_back(dim);
  }
  set_reshaped(ctx, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<std::int64_t> axes = ints_of(ctx, "axes", 1, ctx.opset >= 13);
  std::vector<bool> drop(x.dims().size());
  for (std::int64_t axis : axes) drop[static_cast<std::size_t>(normalize_axis(ctx, axis, x.rank()))] = true;
  Dims dims;
  for (std::size_t i = 0; i < drop.size(); ++i) {
    if (drop[i] && x.dims()[i] != 1)
      ctx.fail("axis " + std::to_string(i) + " cannot be squeezed", "size 1", std::to_string(x.dims()[i]));
    if (!drop[i] && !(axes.empty() && x.dims()[i] == 1)) dims.push_back(x.dims()[i]);
  }
  return {x.reshaped(dims)};
}

}  // namespace

extern const Operator kSqueeze = {
    .op_type = "Squeeze",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"axes"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_reshape,
};

}  // namespace pare::ir::ops
