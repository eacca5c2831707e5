// Add: y = a + b with broadcasting; integers wrap.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

Dim add(const Dim& a, const Dim& b) {
  if (a == Dim(0)) return b;
  if (b == Dim(0)) return a;
  return a.is_known() && b.is_known() ? Dim(a.value() + b.value()) : Dim();
}

void infer(InferContext& ctx) { infer_arithmetic(ctx, add); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return combine_two(ctx,
                     {[](double a, double b) { return a + b; },
                      [](std::int64_t a, std::int64_t b, bool) {
                        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
                      }});
}

}  // namespace

extern const Operator kAdd = {
    .op_type = "Add",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
