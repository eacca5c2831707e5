// HardConcrete (pare): (weight, log α) → weight ⊙ gate; log α broadcasts to the weight. While training the gates are
// drawn, and the loss grows by `penalty` times the mean chance that they are open. Of models that learn masks only
// (ir/learned_masks.h).
#include "ir/learned_masks.h"
#include "ir/ops/common/learned_mask.h"

namespace pare::ir::ops {
namespace {

template <class Context>
void fail_to_broadcast(const Context& ctx, const std::string& weight, const std::string& gates) {
  ctx.fail("log alpha does not broadcast to the weight", weight + " or 1 on an axis", gates);
}

void infer(InferContext& ctx) {
  infer_mask(ctx);
  const Shape &weight = ctx.in(0).shape, &gates = ctx.in(1).shape;
  if (!weight.ranked() || !gates.ranked()) return;
  bool fits = weight.rank() == gates.rank();
  for (std::int64_t axis = 0; fits && axis < gates.rank(); ++axis)
    fits = gates[axis] == Dim(1) || gates[axis] == weight[axis] || !weight[axis].is_known() || !gates[axis].is_known();
  if (!fits) fail_to_broadcast(ctx, to_string(weight), to_string(gates));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  require_mask_inputs(ctx);
  const Dims &weight = ctx.in(0).dims(), &gates = ctx.in(1).dims();
  bool fits = weight.size() == gates.size();
  for (std::size_t axis = 0; fits && axis < gates.size(); ++axis)
    fits = gates[axis] == 1 || gates[axis] == weight[axis];
  if (!fits) fail_to_broadcast(ctx, to_string(weight), to_string(gates));
  return {concrete_gated(ctx.in(0), ctx.in(1))};
}

}  // namespace

extern const Operator kHardConcrete = {
    .op_type = "HardConcrete",
    .domain = kPareDomain,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"penalty"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
