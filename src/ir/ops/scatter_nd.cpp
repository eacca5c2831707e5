// ScatterND: data with the slices that tuples of indices point at replaced by, or from opset 16 combined with, updates.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/scatter.h"
#include "ir/ops/common/slices.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  check_reduction(ctx);
  require_rank_at_least(ctx, 0, 1);
  require_rank_at_least(ctx, 1, 1);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &data = ctx.in(0), &updates = ctx.in(2);
  const SliceIndex slices = read_slices(ctx, data.dims(), 0);
  Dims expected(ctx.in(1).dims().begin(), ctx.in(1).dims().end() - 1);
  expected.insert(expected.end(), slices.tail.begin(), slices.tail.end());
  if (updates.dims() != expected)
    ctx.fail("updates have the wrong shape", to_string(expected), to_string(updates.dims()));
  std::vector<std::int64_t> targets;
  targets.reserve(static_cast<std::size_t>(updates.numel()));
  for (std::int64_t start : slices.starts) {
    for (std::int64_t i = 0; i < slices.size; ++i) targets.push_back(start + i);
  }
  return {scatter(ctx, data, targets, updates)};
}

}  // namespace

extern const Operator kScatterND = {
    .op_type = "ScatterND",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"reduction"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
