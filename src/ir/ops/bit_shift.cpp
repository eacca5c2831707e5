// BitShift: integers shifted by `direction` LEFT or RIGHT; the right shift of signed ones (opset 28) keeps the sign. A
// shift by a negative amount or past the width leaves the sign bits alone: −1 for a negative value to the right, else
// 0.
#include "ir/ops/common/elementwise.h"
#include "pare/dtype.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const std::string direction = ctx.node.string_or("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    ctx.fail("attribute 'direction' is not known", "LEFT or RIGHT", direction);
  infer_broadcast(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool left = ctx.node.string_or("direction", "") == "LEFT";
  const int width = bits(ctx.in(0).dtype());
  return combine_integers(ctx, [left, width](std::int64_t value, std::int64_t by, bool is_unsigned) -> std::int64_t {
    const auto pattern = static_cast<std::uint64_t>(value);
    const bool past = by < 0 || by >= width;
    if (left) return past ? 0 : static_cast<std::int64_t>(pattern << by);
    if (is_unsigned) return past ? 0 : static_cast<std::int64_t>(pattern >> by);
    return value >> (past ? 63 : by);
  });
}

}  // namespace

extern const Operator kBitShift = [] {
  Operator out = binary_declaration("BitShift", 11, {"direction"}, evaluate);
  out.infer = infer;
  return out;
}();

}  // namespace pare::ir::ops
