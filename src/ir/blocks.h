// Residual blocks: what a sum adds to a value that goes around it, and its removal.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::ir {

/// sum = around + f(around, …) with equal shapes. Without the block the sum's readers read `around`.
struct ResidualBlock {
  std::string name;            ///< of the sum
  NodeId sum = kNoNode;        ///< Add
  std::size_t slot = 0;        ///< of the sum that reads `around`
  ValueId around = kNoValue;   ///< the operand that the other is computed from
  ValueId branch = kNoValue;   ///< the other operand
  std::vector<NodeId> nodes;   ///< that only the branch needs, in order; they go with the block
  std::vector<NodeId> layers;  ///< of these: Conv, Gemm, MatMul with a constant weight; at least one
};

/// All blocks in graph order, inner ones before those that hold them. Needs inferred shapes. A branch that other nodes read
/// from too, or that has no layer of its own, is no block; neither is a sum of two branches (a projection beside the body).
std::vector<ResidualBlock> residual_blocks(const Model& model);

/// Takes blocks out; shapes are inferred again. Blocks within others that go may be among them.
void remove_blocks(Model& model, const std::vector<ResidualBlock>& blocks);

}  // namespace pare::ir
