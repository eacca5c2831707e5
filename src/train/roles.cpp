#include "train/roles.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "ir/pare_domain.h"

namespace pare::train {
namespace {

/// Operators that stand before a value while it trains: the value is their first input, and they learn the others.
bool stands_before(const ir::Node& node) { return node.domain == ir::kPareDomain; }

bool contains(const std::vector<ir::ValueId>& list, ir::ValueId id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

/// Reads its first input as data and passes it on in another shape, on a grid or under a mask.
bool passes_through(const ir::Node& node, std::size_t slot) {
  constexpr std::array<std::string_view, 7> kOperators = {"Transpose", "Reshape",        "Squeeze",         "Unsqueeze",
                                                          "Identity",  "QuantizeLinear", "DequantizeLinear"};
  return slot == 0 &&
         (stands_before(node) ||
          std::any_of(kOperators.begin(), kOperators.end(), [&](std::string_view op) { return node.is(op); }));
}

bool is_float_initializer(const ir::Value& value) {
  return value.constant && value.producer == ir::kNoNode && is_float(value.constant->dtype()) &&
         bits(value.constant->dtype()) >= 16 && value.constant->rank() >= 1 && value.constant->numel() > 0;
}

/// Does the operator learn what arrives at this slot?
bool trains(const ir::Graph& graph, const ir::Node& node, std::size_t slot, std::int64_t elements) {
  constexpr std::array<std::string_view, 8> kWeightAndBias = {"Conv",
                                                              "ConvTranspose",
                                                              "Gemm",
                                                              "BatchNormalization",
                                                              "LayerNormalization",
                                                              "InstanceNormalization",
                                                              "GroupNormalization",
                                                              "RMSNormalization"};
  if (std::any_of(kWeightAndBias.begin(), kWeightAndBias.end(), [&](std::string_view op) { return node.is(op); }))
    return slot == 1 || slot == 2;
  if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) return slot >= 1 && slot <= 3;
  if (node.is("MatMul")) return true;
  if (node.is("PRelu")) return slot == 1;
  if (stands_before(node)) return slot >= 1;
  if (node.is("Gather")) return slot == 0 && node.int_or("axis", 0) == 0;
  if (node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div")) {
    const ir::ValueId other = node.input(1 - slot);
    return elements > 1 && !graph.is_input(other) && graph.constant(other) == nullptr;
  }
  return false;
}

/// True when every path from the value ends in a slot that trains it.
bool only_trained(const ir::Graph& graph, ir::ValueId id, std::int64_t elements) {
  const ir::Value& value = graph.value(id);
  if (graph.is_output(id) || value.consumers.empty()) return false;
  for (const ir::NodeId consumer : value.consumers) {
    const ir::Node& node = graph.node(consumer);
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
      if (node.inputs[slot] != id || trains(graph, node, slot, elements)) continue;
      if (!passes_through(node, slot) || !only_trained(graph, node.output(0), elements)) return false;
    }
  }
  return true;
}

}  // namespace

Roles find_roles(const ir::Graph& graph) {
  Roles roles;
  for (const ir::NodeId id : graph.nodes()) {
    const ir::Node& node = graph.node(id);
    for (std::size_t slot = 0; slot < node.inputs.size(); ++slot) {
      const ir::ValueId input = node.inputs[slot];
      if (input == ir::kNoValue || !is_float_initializer(graph.value(input))) continue;
      if (node.is("BatchNormalization") && slot >= 3) {
        const bool alone = graph.value(input).consumers.size() == 1 && !graph.is_output(input);
        std::vector<ir::ValueId>& list = alone ? roles.statistics : roles.frozen_statistics;
        if (!contains(list, input)) list.push_back(input);
      } else if (!contains(roles.parameters, input) &&
                 only_trained(graph, input, graph.value(input).constant->numel())) {
        roles.parameters.push_back(input);
      }
    }
  }
  return roles;
}

}  // namespace pare::train
