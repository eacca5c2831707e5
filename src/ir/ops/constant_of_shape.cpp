// ConstantOfShape: a tensor of the shape that the input lists, filled with the one element of `value` (float 0 by
// default).
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class Context>
Tensor fill(const Context& ctx) {
  const Attribute* a = ctx.node.find("value");
  if (a == nullptr) return Tensor::scalar<float>(0);
  const Tensor* tensor = std::get_if<Tensor>(&a->value);
  if (tensor == nullptr || tensor->numel() != 1) ctx.fail("attribute 'value' is not a tensor of one element");
  return *tensor;
}

void infer(InferContext& ctx) {
  const Tensor value = fill(ctx);
  set_output(ctx, 0, value.dtype());
  if (const auto dims = known_dims(ctx, 0)) set_output(ctx, 0, value.dtype(), Shape(*dims));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Dims dims = to_ints(ctx.in(0));
  require_room(ctx, dims);
  return {strided(fill(ctx), dims, 0, Dims(dims.size(), 0))};
}

}  // namespace

extern const Operator kConstantOfShape = {
    .op_type = "ConstantOfShape",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"value"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
