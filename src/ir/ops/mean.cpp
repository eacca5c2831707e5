// Mean: element-wise mean of any number of inputs with broadcasting.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor sum = combine_all(ctx, {[](double a, double b) { return a + b; }, nullptr})[0];
  std::vector<double> values = to_doubles(sum);
  for (double& value : values) value /= static_cast<double>(ctx.inputs.size());
  return {from_doubles(sum.dtype(), sum.dims(), values)};
}

}  // namespace

extern const Operator kMean = {
    .op_type = "Mean",
    .since = 8,
    .min_inputs = 1,
    .max_inputs = -1,
    .infer = infer_broadcast,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
