// Relu: y = max(x, 0); NaN stays NaN.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(
      ctx, [](double x) { return x < 0 ? 0 : x; }, [](std::int64_t x) { return x < 0 ? 0 : x; });
}

}  // namespace

extern const Operator kRelu = {
    .op_type = "Relu",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
