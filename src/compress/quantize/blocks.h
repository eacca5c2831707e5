// Blocks of a graph: what lies between two places where everything goes through one value, such as residual blocks.
#pragma once

#include <string>
#include <vector>

#include "compress/targets.h"
#include "ir/model.h"

namespace pare::compress {

struct Block {
  std::vector<Layer> layers;
  std::vector<std::string> inputs;  ///< values from outside that its nodes read, graph inputs among them
  std::string output;               ///< the one value that the rest reads of it
};

/// The graph from its first of `layers` to its end, in order, cut wherever one value alone connects what comes before
/// with what comes behind (values that depend on no layer, such as masks, do not count); a part without layers joins
/// the block before it, so that an activation belongs to what it follows. A part with several ways out, as behind the
/// last cut of a graph with several outputs, is no block.
std::vector<Block> find_blocks(const ir::Graph& graph, const std::vector<Layer>& layers);

/// A block as a model: its inputs are the graph's inputs, its output the only one. Initializers keep their names.
ir::Model block_model(const ir::Model& model, const Block& block);

}  // namespace pare::compress
