#include "ir/ops/common/learned_mask.h"

namespace pare::ir::ops {

void infer_mask(InferContext& ctx) {
  std::vector<DType> types;
  for (std::size_t slot = 0; slot < ctx.node.inputs.size(); ++slot) types.push_back(ctx.in(slot).dtype);
  require_mask_floats(ctx, types);
  set_output(ctx, 0, ctx.in(0).dtype, ctx.in(0).shape);
}

void require_weight_shape(const InferContext& ctx, std::size_t slot) {
  const Shape &weight = ctx.in(0).shape, &given = ctx.in(slot).shape;
  if (!weight.ranked() || !given.ranked()) return;
  if (to_string(weight) != to_string(given))
    ctx.fail("input " + std::to_string(slot) + " has another shape than the weight", to_string(weight),
             to_string(given));
}

void require_mask_inputs(const EvaluateContext& ctx) {
  std::vector<DType> types;
  for (const Tensor& tensor : ctx.inputs) types.push_back(tensor.dtype());
  require_mask_floats(ctx, types);
}

}  // namespace pare::ir::ops
