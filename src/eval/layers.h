// The values of a model that exist at run time, and which of two models' belong together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "exec/backend.h"

namespace pare::eval {

/// A float value that a plan computes as a tensor of its own (what is fused away does not count), or an input.
struct LayerValue {
  /// What the value is called in the graph before quantization: the input of its QuantizeLinear, seen through Reshape
  /// and its like. Values of two models with the same key are the same layer.
  std::string key;
  ir::ValueId source = ir::kNoValue;  ///< the value of that name
  std::string observed;               ///< the value to look at: the DequantizeLinear output of a quantized value
  std::string node, op_type;          ///< that computes it, of several fused ones the main one; "" and "Input"
  std::string last_op;                ///< that writes `source`
  Dims dims;                          ///< of `source` for the planned shapes
  Dims weight_dims;                   ///< of its node's weight, empty when it has none
};

/// In order of execution, the inputs first. `plan` is that of an executor without observed values.
std::vector<LayerValue> layer_values(const ir::Model& model, const std::vector<exec::PlanStep>& plan,
                                     const std::map<std::string, Dims>& input_shapes);

/// The value that `id` hands on: as it is (Reshape and its like), or rounded (by a QuantizeLinear, of which `id` is a
/// DequantizeLinear's output). kNoValue where `id` is computed.
ir::ValueId handed_on(const ir::Graph& graph, ir::ValueId id);

struct LayerMatch {
  std::size_t a, b;
  bool by_name;  ///< else by position: operator, shapes, and order between layers that match by name
};

struct UnmatchedLayer {
  bool in_a;
  std::size_t index;
  bool named;  ///< the other model has a layer of its name, of another shape
  std::string reason;
};

struct LayerMatches {
  std::vector<LayerMatch> pairs;          ///< in order of a
  std::vector<UnmatchedLayer> unmatched;  ///< inputs are never reported
};

/// `input_names`: what the inputs of b are called in a, where that differs.
LayerMatches match_layers(const std::vector<LayerValue>& a, const std::vector<LayerValue>& b,
                          const std::map<std::string, std::string>& input_names = {});

}  // namespace pare::eval
