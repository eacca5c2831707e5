// Nodes that run as one step.
#pragma once

#include <optional>
#include <vector>

#include "ir/model.h"
#include "runtime/activation.h"
#include "runtime/quant_view.h"

namespace pare::runtime {

/// One operation after the main node, in order: an activation, or the addition of `add` (a value of the same shape).
struct Follow {
  ir::ValueId add = ir::kNoValue;
  Activation activation;
};

struct Group {
  std::vector<ir::NodeId> nodes;  ///< the main one first, then in order
  std::vector<Follow> follow;
  ir::ValueId bias = ir::kNoValue;    ///< constant added after a MatMul, one element per output
  ir::ValueId output = ir::kNoValue;  ///< what the group writes (its main node's first output when alone)
  bool integer = false;               ///< reads quantized values in place of its DequantizeLinear inputs
  std::optional<QuantView> quantize;  ///< of the QuantizeLinear that ends the group
  std::optional<QuantView> first;     ///< of the one between a product and the addition that follows it
  std::vector<Group> parts;           ///< with `first`: the product and the addition apart, for kernels that cannot join them
  ir::NodeId main() const { return nodes.front(); }
};

/// Partitions the nodes into groups in the order in which they run. `integers`: QDQ patterns become integer groups.
/// A value that is a graph output is never inside a group.
std::vector<Group> find_groups(const ir::Model& model, bool integers);

/// Conv, Gemm or MatMul over quantized inputs, as far as integer kernels take it.
struct IntegerProduct {
  QuantView input, weight;
  ir::ValueId bias = ir::kNoValue;  ///< a constant f32 value, or a DequantizeLinear of a constant int32
};
/// nullopt with the reason in `why` when the node reads a quantized input but has to run in float all the same.
std::optional<IntegerProduct> integer_product(const ir::Graph& graph, const Group& group, std::string& why);

/// A mean over both spatial axes of [N, C, H, W]: GlobalAveragePool, or ReduceMean over axes 2 and 3.
bool is_spatial_mean(const ir::Model& model, const ir::Node& node);

/// Exact rewrites of a runtime's private copy that let more of it run on 8 bits: QuantizeLinear moves up,
/// DequantizeLinear down, past operators that only move or select elements (MaxPool, Reshape, Flatten, Transpose,
/// Squeeze, Unsqueeze, Concat).
void move_quantization(ir::Model& model);

}  // namespace pare::runtime
