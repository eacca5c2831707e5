// Abs: absolute value.
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool is_unsigned = ctx.in(0).dtype() == DType::kUint64;
  return map(
      ctx, [](double x) { return std::abs(x); },
      [is_unsigned](std::int64_t x) {
        return x < 0 && !is_unsigned ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x)) : x;
      });
}

}  // namespace

extern const Operator kAbs = {
    .op_type = "Abs",
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
