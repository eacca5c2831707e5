// BitShift: unsigned integers shifted by `direction` LEFT or RIGHT; a shift past the width gives 0.
#include "ir/ops/common/elementwise.h"

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
  return combine_integers(ctx, [left](std::int64_t a, std::int64_t b, bool) -> std::int64_t {
    const auto value = static_cast<std::uint64_t>(a), by = static_cast<std::uint64_t>(b);
    if (by >= 64) return 0;
    return static_cast<std::int64_t>(left ? value << by : value >> by);
  });
}

}  // namespace

extern const Operator kBitShift = [] {
  Operator out = binary_declaration("BitShift", 11, {"direction"}, evaluate);
  out.infer = infer;
  return out;
}();

}  // namespace pare::ir::ops
