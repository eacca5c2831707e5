// Gelu: y = x·Φ(x), or its tanh approximation (Hendrycks and Gimpel, 2016).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  if (ctx.node.string_or("approximate", "none") == "tanh") {
    return map(ctx,
               [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); });
  }
  return map(ctx, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2))); });
}

}  // namespace

extern const Operator kGelu = {
    .op_type = "Gelu",
    .since = 20,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"approximate"},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
