// Elu: y = x for x ≥ 0, alpha·(exp(x) − 1) below.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const double alpha = ctx.node.float_or("alpha", 1.0F);
  return map(ctx, [alpha](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

}  // namespace

extern const Operator kElu = {
    .op_type = "Elu",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"alpha"},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
