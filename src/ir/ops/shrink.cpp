// Shrink: x + bias below −lambd, x − bias above lambd, 0 between.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const double bias = ctx.node.float_or("bias", 0.0F), lambd = ctx.node.float_or("lambd", 0.5F);
  const auto shrink = [=](double x) { return x < -lambd ? x + bias : x > lambd ? x - bias : x - x; };
  return map(ctx, shrink, [&](std::int64_t x) { return static_cast<std::int64_t>(shrink(static_cast<double>(x))); });
}

}  // namespace

extern const Operator kShrink = unary_declaration("Shrink", 9, {"bias", "lambd"}, evaluate);

}  // namespace pare::ir::ops
