// MovementMask (pare): (weight, scores, mask) → weight ⊙ mask. Of models that learn masks only (ir/learned_masks.h).
#include "ir/learned_masks.h"
#include "ir/ops/common/learned_mask.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_mask(ctx);
  require_weight_shape(ctx, 1);
  require_weight_shape(ctx, 2);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  require_mask_inputs(ctx);
  if (ctx.in(2).dims() != ctx.in(0).dims())
    ctx.fail("the mask has another shape than the weight", to_string(ctx.in(0).dims()), to_string(ctx.in(2).dims()));
  return {movement_masked(ctx.in(0), ctx.in(2))};
}

}  // namespace

extern const Operator kMovementMask = {
    .op_type = "MovementMask",
    .domain = kPareDomain,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
