// HardSwish: y = x · clamp(x/6 + 1/2, 0, 1).
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, [](double x) { return x * std::fmax(0, std::fmin(1, x / 6 + 0.5)); });
}

}  // namespace

extern const Operator kHardSwish = {
    .op_type = "HardSwish",
    .since = 14,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
