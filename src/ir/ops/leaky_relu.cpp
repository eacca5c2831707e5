// LeakyRelu: y = x for x ≥ 0, alpha·x below.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const double alpha = ctx.node.float_or("alpha", 0.01F);
  return map(ctx, [alpha](double x) { return x < 0 ? alpha * x : x; });
}

}  // namespace

extern const Operator kLeakyRelu = {
    .op_type = "LeakyRelu",
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
