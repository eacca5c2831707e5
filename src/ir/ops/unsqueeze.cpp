// Unsqueeze: inserts axes of size 1 at positions of the result. Axes are an input from opset 13.
#include "ir/ops/common/reshape.h"

namespace pare::ir::ops {
namespace {

/// The result, with `one` at the new axes.
template <class Context, class T>
std::vector<T> insert(const Context& ctx, const std::vector<T>& dims, const std::vector<std::int64_t>& axes,
                      const T& one) {
  const std::size_t rank = dims.size() + axes.size();
  std::vector<bool> added(rank);
  for (std::int64_t axis : axes) {
    const auto at = static_cast<std::size_t>(normalize_axis(ctx, axis, static_cast<std::int64_t>(rank)));
    if (added[at]) ctx.fail("axis is repeated", "distinct axes", std::to_string(axis));
    added[at] = true;
  }
  std::vector<T> out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i) out.push_back(added[i] ? one : dims[next++]);
  return out;
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  const auto axes = ints_of(ctx, "axes", 1, ctx.opset >= 13);
  if (axes && x.ranked()) set_reshaped(ctx, Shape(insert(ctx, x.dims(), *axes, Dim(1))));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const std::vector<std::int64_t> axes = ints_of(ctx, "axes", 1, ctx.opset >= 13);
  return {ctx.in(0).reshaped(insert(ctx, ctx.in(0).dims(), axes, std::int64_t{1}))};
}

}  // namespace

extern const Operator kUnsqueeze = {
    .op_type = "Unsqueeze",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"axes"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_reshape,
};

}  // namespace pare::ir::ops
