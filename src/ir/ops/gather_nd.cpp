// GatherND: the slices of x that tuples of indices point at, after batch_dims shared axes.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/slices.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape &x = ctx.in(0).shape, &indices = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  require_rank_at_least(ctx, 0, 1);
  require_rank_at_least(ctx, 1, 1);
  if (!x.ranked() || !indices.ranked() || !indices[-1].is_known()) return;
  const std::int64_t batch = ctx.node.int_or("batch_dims", 0), used = batch + indices[-1].value();
  if (batch < 0 || used > x.rank())
    ctx.fail("index tuples are longer than the data has axes", "at most " + std::to_string(x.rank() - batch),
             to_string(indices[-1]));
  std::vector<Dim> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), x.dims().begin() + used, x.dims().end());
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const SliceIndex slices = read_slices(ctx, x.dims(), ctx.node.int_or("batch_dims", 0));
  Dims dims(ctx.in(1).dims().begin(), ctx.in(1).dims().end() - 1);
  dims.insert(dims.end(), slices.tail.begin(), slices.tail.end());
  return {pick({&x, 1}, dims, [&](std::int64_t i) {
    return std::pair<std::size_t, std::int64_t>(
        0, slices.starts[static_cast<std::size_t>(i / slices.size)] + i % slices.size);
  })};
}

}  // namespace

extern const Operator kGatherND = {
    .op_type = "GatherND",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"batch_dims"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
