// Which initializers training changes: parameters by gradient, BatchNorm statistics by running averages.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace pare::train {

struct Roles {
  /// Float initializers of rank ≥ 1 that every reader uses as a weight or bias, in order of first use.
  std::vector<ir::ValueId> parameters;
  /// Running means and variances that one BatchNormalization alone reads.
  std::vector<ir::ValueId> statistics;
  /// Those that several slots share: no one updates them, and their BatchNormalization uses them while training too.
  std::vector<ir::ValueId> frozen_statistics;
};

/// Weights and biases of Conv, Gemm, MatMul, BatchNormalization, LayerNormalization, PRelu; tables that Gather reads
/// along axis 0; operands of Add, Sub, Mul, Div with more than one element, unless the other operand is a graph input
/// (that is preprocessing); scales and offsets of FakeQuantize. A weight may pass through Transpose, Reshape, Squeeze, Unsqueeze, Identity or fake
/// quantization first.
Roles find_roles(const ir::Graph& graph);

}  // namespace pare::train
