// Cast: to the element type `to`; shape elements keep their symbols between integer types.
#include "ir/ops/common/cast.h"

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

DType target(const InferContext& ctx) {
  const std::int64_t to = required_int(ctx, "to");
  if (!is_valid_dtype(static_cast<int>(to)))
    ctx.fail("attribute 'to' is no element type", "1 to 26", std::to_string(to));
  return static_cast<DType>(to);
}

void infer(InferContext& ctx) {
  const DType to = target(ctx);
  set_output(ctx, 0, to, ctx.in(0).shape);
  if ((to == DType::kInt64 || to == DType::kInt32) && is_integer(ctx.in(0).dtype))
    ctx.outputs[0].elements = ctx.in(0).elements;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return {cast_element_type(ctx, static_cast<DType>(ctx.node.int_or("to", 0)))};
}

}  // namespace

extern const Operator kCast = {
    .op_type = "Cast",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"round_mode", "saturate", "to"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
