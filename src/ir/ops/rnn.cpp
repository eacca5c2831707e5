// RNN: H = f(W·x + R·H + biases).
#include "ir/ops/common/recurrent.h"

namespace pare::ir::ops {
namespace {

void step(const CellContext& cell, const double* x, double* h, double*) {
  std::vector<double> sums(static_cast<std::size_t>(cell.hidden));
  cell.recurrent(0, h, sums.data());
  for (std::int64_t i = 0; i < cell.hidden; ++i)
    h[i] = cell.activations[0](cell.clipped(x[i] + sums[static_cast<std::size_t>(i)] + cell.bias[i]));
}

const RecurrentKind& kind() {
  static const RecurrentKind rnn{1, {"Tanh"}, false, step};
  return rnn;
}

void infer(InferContext& ctx) { infer_recurrent(ctx, kind()); }
std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return evaluate_recurrent(ctx, kind()); }

}  // namespace

extern const Operator kRNN = {
    .op_type = "RNN",
    .since = 7,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 0,
    .max_outputs = 2,
    .attributes = {"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs_recurrent,
    .axes = axes_recurrent,
};

}  // namespace pare::ir::ops
