// What LSTM, GRU and RNN share: attributes, shapes, directions, sequence lengths and layouts.
// Inputs X, W, R, B, sequence_lens, initial_h (LSTM: initial_c, P); outputs Y, Y_h (LSTM: Y_c).
#pragma once

#include <functional>
#include <vector>

#include "ir/op.h"

namespace pare::ir::ops {

/// f(x; α, β) of the ONNX list of recurrent activations.
struct RecurrentActivation {
  double (*function)(double x, double alpha, double beta);
  double alpha, beta;
  const char* name;  ///< in lower case
  double operator()(double x) const { return function(x, alpha, beta); }
};

/// The activations of all directions of a node, `defaults` being those of one; the lists of α and β are used up in
/// order by those that take one.
std::vector<RecurrentActivation> recurrent_activations(const EvaluateContext& ctx,
                                                       const std::vector<std::string>& defaults);

/// One direction of one cell: x gates come with their input bias added.
struct CellContext {
  const EvaluateContext& ctx;
  std::int64_t hidden;
  std::vector<RecurrentActivation> activations;
  double clip;              ///< infinite: none
  const double *r, *bias;   ///< R [gates·hidden, hidden], recurrent bias [gates·hidden]
  const double* peepholes;  ///< [3·hidden] or nullptr

  double clipped(double x) const;
  /// rows [first, first + hidden) of R · h
  void recurrent(std::int64_t gate, const double* h, double* out) const;
};

struct RecurrentKind {
  std::int64_t gates;
  std::vector<std::string> activations;  ///< default, of one direction
  bool has_cell_state;
  /// Advances h (and c) by one step; `x` holds the gates' input parts.
  void (*step)(const CellContext& cell, const double* x, double* h, double* c);
};

void infer_recurrent(InferContext& ctx, const RecurrentKind& kind);
std::vector<Tensor> evaluate_recurrent(const EvaluateContext& ctx, const RecurrentKind& kind);
/// The hidden units, which run through the rows of W and R once a gate, and the input channels.
std::vector<AxisRelation> axes_recurrent(const AxesContext& ctx);
std::int64_t macs_recurrent(const Node& node, std::span<const ValueFacts> in, std::span<const ValueFacts> out);

}  // namespace pare::ir::ops
