// What can be taken out whole because its result is as large as what it starts from: residual blocks and plain layers.
#pragma once

#include <string>
#include <vector>

#include "ir/model.h"

namespace pare::ir {

/// Residual block: sum = around + f(around, …) with equal shapes. Plain layer: a layer, what undoes a change of its
/// layout (Squeeze, Transpose, Reshape) and the activation behind it. Without the block the readers of its result read
/// `around`.
struct Block {
  std::string name;         ///< of the sum, or of the layer
  NodeId last = kNoNode;    ///< its first output is the result: the Add, or the last of a layer's nodes
  NodeId reader = kNoNode;  ///< reads `around`: the Add, or the layer
  std::size_t slot = 0;     ///< of the reader
  ValueId around = kNoValue;
  std::vector<NodeId> nodes;   ///< that nothing else needs, in order, without an Add; they go with the block
  std::vector<NodeId> layers;  ///< of these (layer_weight); at least one
};

/// All residual blocks in graph order, inner ones before those that hold them. Needs inferred shapes. A branch that
/// other nodes read from too, or that has no layer of its own, is no block; neither is a sum of two branches (a
/// projection beside the body).
std::vector<Block> residual_blocks(const Model& model);

/// All plain layers in graph order: a convolution of as many channels and pixels as it reads, one of stacked recurrent
/// layers of one width … Needs inferred shapes. None of its values is read by others or is a graph output.
std::vector<Block> plain_layers(const Model& model);

/// Takes blocks out; shapes are inferred again. Blocks within others that go may be among them.
void remove_blocks(Model& model, const std::vector<Block>& blocks);

}  // namespace pare::ir
