// Expand: broadcasts the input with a shape, which is an input (two-way: a 1 in it keeps the dimension).
#include <algorithm>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  set_output(ctx, 0, ctx.in(0).dtype);
  const auto known = known_ints(ctx, 1);
  if (known && std::ranges::any_of(*known, [](std::int64_t dim) { return dim < 0; }))
    ctx.fail("target dimension is out of range", "0 or more", to_string(Dims(*known)));
  const auto target = known_dims(ctx, 1);
  if (target) set_output(ctx, 0, ctx.in(0).dtype, broadcast(ctx, ctx.in(0).shape, Shape(*target)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Dims target = to_ints(ctx.in(1));
  Dims dims;
  if (!broadcast_dims(x.dims(), target, dims))
    ctx.fail("input does not broadcast to the shape", to_string(target), to_string(x.dims()));
  require_room(ctx, dims);
  return {strided(x, dims, 0, broadcast_strides(x.dims(), dims))};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  return axes_broadcast({ctx.node, ctx.inputs.first(1), ctx.outputs});
}

}  // namespace

extern const Operator kExpand = {
    .op_type = "Expand",
    .since = 8,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
