// Sign: −1, 0 or 1; NaN stays NaN.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool is_unsigned = ctx.in(0).dtype() == DType::kUint64;
  return map(
      ctx, [](double x) { return x > 0   ? 1
                                 : x < 0 ? -1
                                         : x; },
      [is_unsigned](std::int64_t x) -> std::int64_t { return x == 0                 ? 0
                                                             : x > 0 || is_unsigned ? 1
                                                                                    : -1; });
}

}  // namespace

extern const Operator kSign = unary_declaration("Sign", 9, {}, evaluate);

}  // namespace pare::ir::ops
