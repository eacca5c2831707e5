// One time step of LSTM, GRU and RNN cells for one sequence, once the products with the weights are there. Meaning and
// order of the gates: ONNX LSTM, GRU, RNN.
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {

struct CellActivation {
  UnaryOp op = UnaryOp::kIdentity;
  UnaryParams params;
};

struct Cell {
  std::int64_t hidden = 0;
  CellActivation activations[3];
  float clip = kInfinity;              ///< of the activations' inputs
  const float* peepholes = nullptr;    ///< LSTM: [3·hidden] for i, o, f
  bool coupled = false;                ///< LSTM: f = 1 − i
  const float* hidden_bias = nullptr;  ///< GRU, linear before reset: of the hidden gate's recurrent product [hidden]
};

/// gates [4·hidden]: i, o, f, c with both products and biases added; overwritten. h and c [hidden] advance.
void lstm_cell(const Cell& cell, float* gates, float* h, float* c) noexcept;

/// gates [2·hidden]: z, r with both products and biases; become their activations. reset_h [hidden] = r ⊙ h, what the
/// hidden gate's product reads where the reset comes first.
void gru_gates(const Cell& cell, float* gates, const float* h, float* reset_h) noexcept;
/// x [hidden]: the hidden gate's input part with its biases; overwritten. product [hidden]: its recurrent product, of
/// h where cell.hidden_bias is set (then scaled by r), else of r ⊙ h. gates: z, r as gru_gates left them. h advances.
void gru_cell(const Cell& cell, const float* gates, float* x, const float* product, float* h) noexcept;

/// gates [hidden] with both products and biases; overwritten. h advances.
void rnn_cell(const Cell& cell, float* gates, float* h) noexcept;

}  // namespace pare::kernels
