#include "kernels/recurrent/recurrent.h"

#include <algorithm>

namespace pare::kernels {
namespace {

void activate(const Cell& cell, int which, float* x, std::int64_t count) noexcept {
  if (cell.clip < kInfinity)
    for (std::int64_t i = 0; i < count; ++i) x[i] = std::min(std::max(x[i], -cell.clip), cell.clip);
  unary(cell.activations[which].op, cell.activations[which].params, count, x, x);
}

void add_peephole(const Cell& cell, int which, const float* c, float* gate) noexcept {
  if (cell.peepholes == nullptr) return;
  const float* p = cell.peepholes + which * cell.hidden;
  for (std::int64_t i = 0; i < cell.hidden; ++i) gate[i] += p[i] * c[i];
}

}  // namespace

void lstm_cell(const Cell& cell, float* gates, float* h, float* c) noexcept {
  const std::int64_t n = cell.hidden;
  float *input = gates, *output = gates + n, *forget = gates + 2 * n, *candidate = gates + 3 * n;
  add_peephole(cell, 0, c, input);
  activate(cell, 0, input, n);
  if (cell.coupled) {
    for (std::int64_t i = 0; i < n; ++i) forget[i] = 1 - input[i];
  } else {
    add_peephole(cell, 2, c, forget);
    activate(cell, 0, forget, n);
  }
  activate(cell, 1, candidate, n);
  for (std::int64_t i = 0; i < n; ++i) c[i] = forget[i] * c[i] + input[i] * candidate[i];
  add_peephole(cell, 1, c, output);
  activate(cell, 0, output, n);
  unary(cell.activations[2].op, cell.activations[2].params, n, c, candidate);
  for (std::int64_t i = 0; i < n; ++i) h[i] = output[i] * candidate[i];
}

void gru_gates(const Cell& cell, float* gates, const float* h, float* reset_h) noexcept {
  activate(cell, 0, gates, 2 * cell.hidden);
  for (std::int64_t i = 0; i < cell.hidden; ++i) reset_h[i] = gates[cell.hidden + i] * h[i];
}

void gru_cell(const Cell& cell, const float* gates, float* x, const float* product, float* h) noexcept {
  const std::int64_t n = cell.hidden;
  const float *update = gates, *reset = gates + n;
  if (cell.hidden_bias != nullptr) {
    for (std::int64_t i = 0; i < n; ++i) x[i] += reset[i] * (product[i] + cell.hidden_bias[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) x[i] += product[i];
  }
  activate(cell, 1, x, n);
  for (std::int64_t i = 0; i < n; ++i) h[i] = (1 - update[i]) * x[i] + update[i] * h[i];
}

void rnn_cell(const Cell& cell, float* gates, float* h) noexcept {
  activate(cell, 0, gates, cell.hidden);
  std::copy(gates, gates + cell.hidden, h);
}

}  // namespace pare::kernels
