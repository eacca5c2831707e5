// Gemm and MatMul.
#include "train/lowering.h"

namespace pare::train {

Call lower_gemm(const LowerContext& context) {
  const double alpha = context.node.float_or("alpha", 1), beta = context.node.float_or("beta", 1);
  const bool transpose_a = context.node.int_or("transA", 0) != 0, transpose_b = context.node.int_or("transB", 0) != 0;
  return [=, a = context.in(0), b = context.in(1), c = context.in(2), y = context.out()](Frame& frame) {
    const at::Tensor left = transpose_a ? frame[a].t() : frame[a];
    const at::Tensor weight = transpose_b ? frame[b] : frame[b].t();  // [outputs, inputs]
    const bool bias = c != kNoSlot && frame[c].dim() == 1 && frame[c].size(0) == weight.size(0);
    if (alpha == 1 && (c == kNoSlot || (bias && beta == 1))) {
      frame[y] = at::linear(left, weight, bias ? frame[c] : at::Tensor());
      return;
    }
    at::Tensor product = at::linear(left, weight);
    if (alpha != 1) product = product * alpha;
    frame[y] = c == kNoSlot ? product : product + (beta == 1 ? frame[c] : frame[c] * beta);
  };
}

Call lower_matmul(const LowerContext& context) {
  return [a = context.in(0), b = context.in(1), y = context.out()](Frame& frame) {
    frame[y] = at::matmul(frame[a], frame[b]);
  };
}

}  // namespace pare::train
