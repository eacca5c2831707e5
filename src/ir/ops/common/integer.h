// What MatMulInteger and ConvInteger share: operands less their zero points, products in int32.
#pragma once

#include "ir/op.h"

namespace pare::ir::ops {

/// Input `slot` less the zero point of input `zero`, which is one number or has one entry per index of `axis`, as
/// float64, in which sums of products of 8-bit numbers are exact.
Tensor centred(const EvaluateContext& ctx, std::size_t slot, std::size_t zero, std::int64_t axis);
/// What the operator of ai.onnx gives for these inputs and the node's attributes, as int32.
std::vector<Tensor> as_int32(const EvaluateContext& ctx, const Operator& op, const std::vector<Tensor>& inputs);
/// Inference by the float operator; the result is int32. Throws unless both operands are 8-bit integers.
void infer_as(InferContext& ctx, const Operator& op);

}  // namespace pare::ir::ops
