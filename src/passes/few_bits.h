// Activations of fewer bits than their type: QuantizeLinear saturates at the limits of the type, so a Clip in front of
// it keeps the value within those of the bits.
#pragma once

#include <functional>

#include "passes/qdq.h"

namespace pare::passes {

/// Whether the node's outputs hold elements of its inputs and nothing else, so that they stay on these inputs' grid:
/// MaxPool, Flatten, Reshape, Transpose, Squeeze, Unsqueeze, Identity, Concat.
bool moves_elements(const ir::Node& node);

/// Whether the value is on the grid of its quantization already: the node that makes it moves elements of values that
/// are all quantized `alike`.
bool stays_on_grid(const ir::Graph& graph, ir::ValueId value, const std::function<bool(ir::ValueId)>& alike);

/// Whether the plan's activation needs a Clip: its bits are fewer than its type's, and the value is not on their grid.
bool needs_clip(const ir::Graph& graph, const QdqPlan& plan, const std::string& activation);

/// The value within what the integers of `params` can say: the Relu or Clip that makes it takes the bounds over when
/// nothing but `readers` input slots reads it, else it gets a Clip of its own. Needs opset 11.
ir::ValueId clip_to_limits(ir::Graph& graph, ir::ValueId value, const QuantParams& params, std::size_t readers);

}  // namespace pare::passes
