// LSTM: gates i, o, f, c; H = o ⊙ h(C), C = f ⊙ C + i ⊙ g(…); peepholes i, o, f; input_forget: f = 1 − i.
#include "ir/ops/common/recurrent.h"

namespace pare::ir::ops {
namespace {

void step(const CellContext& cell, const double* x, double* h, double* c) {
  const std::int64_t n = cell.hidden;
  const bool coupled = cell.ctx.node.int_or("input_forget", 0) != 0;
  std::vector<double> sums(static_cast<std::size_t>(4 * n));
  for (std::int64_t gate = 0; gate < 4; ++gate) cell.recurrent(gate, h, sums.data() + gate * n);
  const auto gate = [&](std::int64_t index, std::int64_t i) {
    return x[index * n + i] + sums[static_cast<std::size_t>(index * n + i)] + cell.bias[index * n + i];
  };
  const auto peephole = [&](std::int64_t index, std::int64_t i, double state) {
    return cell.peepholes != nullptr ? cell.peepholes[index * n + i] * state : 0.0;
  };
  const auto &f = cell.activations[0], &g = cell.activations[1], &out = cell.activations[2];
  for (std::int64_t i = 0; i < n; ++i) {
    const double input = f(cell.clipped(gate(0, i) + peephole(0, i, c[i])));
    const double forget = coupled ? 1 - input : f(cell.clipped(gate(2, i) + peephole(2, i, c[i])));
    c[i] = forget * c[i] + input * g(cell.clipped(gate(3, i)));
    h[i] = f(cell.clipped(gate(1, i) + peephole(1, i, c[i]))) * out(c[i]);
  }
}

const RecurrentKind& kind() {
  static const RecurrentKind lstm{4, {"Sigmoid", "Tanh", "Tanh"}, true, step};
  return lstm;
}

void infer(InferContext& ctx) { infer_recurrent(ctx, kind()); }
std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return evaluate_recurrent(ctx, kind()); }

}  // namespace

extern const Operator kLSTM = {
    .op_type = "LSTM",
    .since = 7,
    .min_inputs = 3,
    .max_inputs = 8,
    .min_outputs = 0,
    .max_outputs = 3,
    .attributes = {"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size",
                   "input_forget", "layout"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs_recurrent,
    .axes = axes_recurrent,
};

}  // namespace pare::ir::ops
