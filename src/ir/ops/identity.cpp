// Identity: y = x, any type.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) { ctx.outputs[0] = ctx.in(0); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return {ctx.in(0)}; }

}  // namespace

extern const Operator kIdentity = {
    .op_type = "Identity",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
