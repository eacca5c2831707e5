// CastLike: Cast to the element type of the second input.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/cast.h"
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return {cast_element_type(ctx, ctx.in(1).dtype())}; }

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
