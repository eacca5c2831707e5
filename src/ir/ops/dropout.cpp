// Dropout (inference): y = x; the optional mask is all ones.
#include <algorithm>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  set_output(ctx, 1, ctx.opset < 10 ? ctx.in(0).dtype : DType::kBool, ctx.in(0).shape);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const bool training = ctx.opset >= 12 && ctx.has(2) && to_ints(ctx.in(2)).at(0) != 0;
  const bool drops = !ctx.has(1) || to_doubles(ctx.in(1)).at(0) != 0;
  if (training && drops) refuse(ctx, "Dropout in training mode");
  if (ctx.node.outputs.size() < 2) return {x};
  const std::vector<std::int64_t> ones(static_cast<std::size_t>(x.numel()), 1);
  const std::vector<double> real_ones(ones.begin(), ones.end());
  return {x, ctx.opset < 10 ? from_doubles(x.dtype(), x.dims(), real_ones) : from_ints(DType::kBool, x.dims(), ones)};
}

}  // namespace

extern const Operator kDropout = {
    .op_type = "Dropout",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 3,
    .max_outputs = 2,
    .attributes = {"ratio", "seed"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = [](const AxesContext& ctx) { return axes_all_but(ctx, {}); },
};

}  // namespace pare::ir::ops
