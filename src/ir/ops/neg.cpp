// Neg: y = −x; integers wrap.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(
      ctx, [](double x) { return -x; },
      [](std::int64_t x) { return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x)); });
}

}  // namespace

extern const Operator kNeg = {
    .op_type = "Neg",
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
