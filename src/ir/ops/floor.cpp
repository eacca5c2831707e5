// Floor: largest integer not above x.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, [](double x) { return std::floor(x); });
}

}  // namespace

extern const Operator kFloor = {
    .op_type = "Floor",
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
