// ConvInteger: Conv of (x − x_zero) and (w − w_zero) in int32; padding is the zero point; w_zero may be one per output.
#include "ir/ops/common/integer.h"

namespace pare::ir::ops {

extern const Operator kConv;

namespace {

void infer(InferContext& ctx) { infer_as(ctx, kConv); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return as_int32(ctx, kConv, {centred(ctx, 0, 2, 1), centred(ctx, 1, 3, 0)});
}

std::int64_t macs(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts> out) {
  return kConv.macs(node, in, out);
}

}  // namespace

extern const Operator kConvInteger = {
    .op_type = "ConvInteger",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 4,
    .attributes = {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
};

}  // namespace pare::ir::ops
