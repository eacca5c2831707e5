// Vectors that several nodes read, and back. Exporters merge equal initializers (biases of zero, scales of one), which
// would couple the channels of layers that have nothing to do with one another:
//   Add(x, b), Add(y, b)  →  Add(x, b), Add(y, b_2)
// Conditions: a float initializer of which at most one axis is longer than 1, with more than one element, that no
// subgraph and no output is. Weights that layers share on purpose have more axes and stay shared.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::passes {

struct VectorCopy {
  std::string name, of;  ///< of initializers
};

/// Function-preserving: every reading node but the first gets a copy.
std::vector<VectorCopy> own_vectors(ir::Model& model);

/// Copies that are (still) equal to what they are copies of, or to another copy of it, and have the same mask, become one
/// again.
void share_vectors(ir::Model& model, const std::vector<VectorCopy>& copies);

}  // namespace pare::passes
