// Size: the number of elements of the input as an int64 scalar.
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  set_output(ctx, 0, DType::kInt64, Shape(std::vector<Dim>{}));
  if (ctx.in(0).shape.ranked()) ctx.outputs[0].elements = {product(ctx.in(0).shape.dims())};
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return {Tensor::scalar<std::int64_t>(ctx.in(0).numel())}; }

}  // namespace

extern const Operator kSize = {
    .op_type = "Size",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
