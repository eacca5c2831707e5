// BitwiseNot: every bit of an integer flipped.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  if (!is_integer(ctx.in(0).dtype()))
    ctx.fail("input has the wrong type", "an integer type", std::string(name(ctx.in(0).dtype())));
  return map(ctx, nullptr, [](std::int64_t x) { return ~x; });
}

}  // namespace

extern const Operator kBitwiseNot = unary_declaration("BitwiseNot", 18, {}, evaluate);

}  // namespace pare::ir::ops
