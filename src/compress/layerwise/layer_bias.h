// The bias of a layer: the third input of Conv and Gemm, or the constant that an Add behind a MatMul adds.
#pragma once

#include <span>
#include <string>

#include "compress/targets.h"

namespace pare::compress {

/// Where the layer's bias is, or could be; kNoNode where nothing adds one.
struct BiasSlot {
  ir::NodeId node = ir::kNoNode;
  std::size_t index = 0;
};
BiasSlot bias_slot(const ir::Graph& graph, const Layer& layer);

/// The layer's output with its bias.
ir::ValueId biased_output(const ir::Graph& graph, const Layer& layer, const BiasSlot& slot);

/// Why the bias cannot be changed; "": it can. One that is not there yet is added.
std::string why_no_bias(const ir::Graph& graph, const Layer& layer, const BiasSlot& slot);

/// bias[o] ← scale[o]·bias[o] + shift[o], on a tensor of its own; `scale` empty: 1.
void change_bias(ir::Graph& graph, const Layer& layer, const BiasSlot& slot, std::span<const double> scale,
                 std::span<const double> shift);

}  // namespace pare::compress
