// HardSigmoid: y = clamp(alpha·x + beta, 0, 1).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const double alpha = ctx.node.float_or("alpha", 0.2F), beta = ctx.node.float_or("beta", 0.5F);
  return map(ctx, [alpha, beta](double x) { return std::fmax(0, std::fmin(1, alpha * x + beta)); });
}

}  // namespace

extern const Operator kHardSigmoid = {
    .op_type = "HardSigmoid",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"alpha", "beta"},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
