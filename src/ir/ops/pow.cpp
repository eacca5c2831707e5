// Pow: y = a^b with broadcasting; y has the type of a.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) { set_output(ctx, 0, ctx.in(0).dtype, broadcast(ctx, ctx.in(0).shape, ctx.in(1).shape)); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const auto integer = [](std::int64_t base, std::int64_t exponent, bool) -> std::int64_t {
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
    std::uint64_t out = 1, square = static_cast<std::uint64_t>(base);
    for (std::uint64_t bits = static_cast<std::uint64_t>(exponent); bits != 0; bits >>= 1, square *= square) {
      if (bits & 1) out *= square;
    }
    return static_cast<std::int64_t>(out);
  };
  return combine_two(ctx, {[](double a, double b) { return std::pow(a, b); }, integer});
}

}  // namespace

extern const Operator kPow = {
    .op_type = "Pow",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
