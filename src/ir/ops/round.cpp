// Round: to the nearest integer, halves to even.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, [](double x) { return std::nearbyint(x); });
}

}  // namespace

extern const Operator kRound = {
    .op_type = "Round",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {},
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
