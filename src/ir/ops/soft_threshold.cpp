// SoftThreshold (pare): (weight, s [1]) → sign(w)·max(|w| − sigmoid(s), 0). Of models that learn masks only
// (ir/learned_masks.h).
#include "ir/learned_masks.h"
#include "ir/ops/common/learned_mask.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_mask(ctx);
  const Shape& s = ctx.in(1).shape;
  if (s.ranked() && to_string(s) != "[1]") ctx.fail("s is no single number", "[1]", to_string(s));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  require_mask_inputs(ctx);
  if (ctx.in(1).numel() != 1) ctx.fail("s is no single number", "[1]", to_string(ctx.in(1).dims()));
  return {soft_thresholded(ctx.in(0), ctx.in(1))};
}

}  // namespace

extern const Operator kSoftThreshold = {
    .op_type = "SoftThreshold",
    .domain = kPareDomain,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
