// GatherElements: y[…, i, …] = x[…, indices[…, i, …], …] along an axis; y has the shape of the indices.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/scatter.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape &x = ctx.in(0).shape, &indices = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype, indices);
  require_rank_at_least(ctx, 0, 1);
  if (!x.ranked()) return;
  normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  if (indices.ranked() && indices.rank() != x.rank())
    ctx.fail("indices have the wrong rank", std::to_string(x.rank()), to_string(indices));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const std::vector<std::int64_t> sources = element_targets(ctx, x.dims(), axis);
  return {pick({&x, 1}, ctx.in(1).dims(), [&](std::int64_t i) {
    return std::pair<std::size_t, std::int64_t>(0, sources[static_cast<std::size_t>(i)]);
  })};
}

}  // namespace

extern const Operator kGatherElements = {
    .op_type = "GatherElements",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
