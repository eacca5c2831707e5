// MatMulInteger: (A − a_zero) · (B − b_zero) in int32; zero points are one number, or one a row of A, a column of B.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/integer.h"

namespace pare::ir::ops {

extern const Operator kMatMul;

namespace {

void infer(InferContext& ctx) { infer_as(ctx, kMatMul); }

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return as_int32(ctx, kMatMul, {centred(ctx, 0, 2, -2), centred(ctx, 1, 3, -1)});
}

std::int64_t macs(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts> out) {
  return kMatMul.macs(node, in, out);
}

}  // namespace

extern const Operator kMatMulInteger = {
    .op_type = "MatMulInteger",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 4,
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs,
};

}  // namespace pare::ir::ops
