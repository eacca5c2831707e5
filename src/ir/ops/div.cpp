// Div: y = a / b with broadcasting; integers truncate towards zero.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

Dim divide(const Dim& a, const Dim& b) {
  if (b == Dim(1)) return a;
  return a.is_known() && b.is_known() && b.value() > 0 ? Dim(a.value() / b.value()) : Dim();
}

void infer(InferContext& ctx) { infer_arithmetic(ctx, divide); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return combine_two(
      ctx, {[](double a, double b) { return a / b; },
            [&](std::int64_t a, std::int64_t b, bool is_unsigned) {
              if (b == 0) ctx.fail("integer division by zero");
              if (is_unsigned) {
                return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) / static_cast<std::uint64_t>(b));
              }
              // INT64_MIN / -1 overflows; wrapped like the other operators.
              return b == -1 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a)) : a / b;
            }});
}

}  // namespace

extern const Operator kDiv = {
    .op_type = "Div",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
