// Sum: element-wise sum of any number of inputs with broadcasting.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return combine_all(ctx, {[](double a, double b) { return a + b; }, nullptr});
}

}  // namespace

extern const Operator kSum = {
    .op_type = "Sum",
    .since = 8,
    .min_inputs = 1,
    .max_inputs = -1,
    .infer = infer_broadcast,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
