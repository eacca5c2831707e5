// GRU: gates z, r, h; H = (1 − z) ⊙ g(…) + z ⊙ H. linear_before_reset: the reset gate multiplies R·H + bias, else H.
#include "ir/ops/common/recurrent.h"

namespace pare::ir::ops {
namespace {

void step(const CellContext& cell, const double* x, double* h, double*) {
  const std::int64_t n = cell.hidden;
  const bool linear = cell.ctx.node.int_or("linear_before_reset", 0) != 0;
  std::vector<double> sums(static_cast<std::size_t>(3 * n)), reset(static_cast<std::size_t>(n)), scaled(reset);
  for (std::int64_t gate = 0; gate < 2; ++gate) cell.recurrent(gate, h, sums.data() + gate * n);
  const auto gate = [&](std::int64_t index, std::int64_t i) {
    return x[index * n + i] + sums[static_cast<std::size_t>(index * n + i)] + cell.bias[index * n + i];
  };
  const auto &f = cell.activations[0], &g = cell.activations[1];
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    reset[at] = f(cell.clipped(gate(1, i)));
    scaled[at] = linear ? h[i] : reset[at] * h[i];
  }
  cell.recurrent(2, scaled.data(), sums.data() + 2 * n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double own = sums[static_cast<std::size_t>(2 * n + i)] + cell.bias[2 * n + i];
    const double hidden = g(cell.clipped(x[2 * n + i] + (linear ? reset[static_cast<std::size_t>(i)] * own : own)));
    const double update = f(cell.clipped(gate(0, i)));
    h[i] = (1 - update) * hidden + update * h[i];
  }
}

const RecurrentKind& kind() {
  static const RecurrentKind gru{3, {"Sigmoid", "Tanh"}, false, step};
  return gru;
}

void infer(InferContext& ctx) { infer_recurrent(ctx, kind()); }
std::vector<Tensor> evaluate(const EvaluateContext& ctx) { return evaluate_recurrent(ctx, kind()); }

}  // namespace

extern const Operator kGRU = {
    .op_type = "GRU",
    .since = 7,
    .min_inputs = 3,
    .max_inputs = 6,
    .min_outputs = 0,
    .max_outputs = 2,
    .attributes = {"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "layout",
                   "linear_before_reset"},
    .infer = infer,
    .evaluate = evaluate,
    .macs = macs_recurrent,
    .axes = axes_recurrent,
};

}  // namespace pare::ir::ops
