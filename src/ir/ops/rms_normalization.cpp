// RMSNormalization: y = x / √(mean(x²) + epsilon) · scale over the axes from `axis` on (Zhang and Sennrich, 2019).
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/normalize.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  if (ctx.in(1).dtype != DType::kUndefined) ctx.outputs[0].dtype = ctx.in(1).dtype;
  if (!ctx.in(0).shape.ranked()) return;
  check_affine(ctx);
  first_normalized_axis(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = first_normalized_axis(ctx);
  const double epsilon = ctx.node.float_or("epsilon", 1e-5F);
  std::size_t size = 1;
  for (std::int64_t i = axis; i < x.rank(); ++i) size *= static_cast<std::size_t>(x.dim(i));
  std::vector<double> values = to_doubles(x);
  for (std::size_t start = 0; start < values.size(); start += size) {
    const std::span<double> group = std::span(values).subspan(start, size);
    double sum = 0;
    for (double value : group) sum += value * value;
    const double inverse = 1 / std::sqrt(sum / static_cast<double>(size) + epsilon);
    for (double& value : group) value *= inverse;
  }
  apply_affine(ctx, values);
  return {from_doubles(ctx.in(1).dtype(), x.dims(), values)};
}

}  // namespace

extern const Operator kRMSNormalization = {
    .op_type = "RMSNormalization",
    .since = 23,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"axis", "epsilon", "stash_type"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_layer_norm,
};

}  // namespace pare::ir::ops
