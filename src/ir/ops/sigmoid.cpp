// Sigmoid: y = 1 / (1 + exp(−x)).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, [](double x) { return 1 / (1 + std::exp(-x)); });
}

}  // namespace

extern const Operator kSigmoid = {
    .op_type = "Sigmoid",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
