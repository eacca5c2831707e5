// Softplus: y = log(1 + exp(x)), without overflow.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, [](double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); });
}

}  // namespace

extern const Operator kSoftplus = {
    .op_type = "Softplus",
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
