// CastLike: Cast to the element type of the second input.
#include "base/float16.h"
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const DType to = ctx.in(1).dtype();
  if (to == ctx.in(0).dtype()) return {ctx.in(0)};
  if (to == DType::kString || ctx.in(0).dtype() == DType::kString)
    throw Error(ErrorCode::kUnsupported, describe(ctx.node), "Cast from or to strings");
  return {pare::cast(ctx.in(0), to, ctx.node.int_or("saturate", 1) != 0)};
}

}  // namespace

extern const Operator kCastLike = {
    .op_type = "CastLike",
    .since = 15,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"round_mode", "saturate"},
    .infer = [](InferContext& ctx) { set_output(ctx, 0, ctx.in(1).dtype, ctx.in(0).shape); },
    .evaluate = evaluate,
    .axes = [](const AxesContext& ctx) { return axes_all_but(ctx, {}); },
};

}  // namespace pare::ir::ops
