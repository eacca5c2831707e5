// Which layers a step works on: the options `include` and `exclude`.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compress/option.h"
#include "ir/sparsity.h"

namespace pare::compress {

/// A node with a constant weight: Conv, Gemm or MatMul.
struct Layer {
  ir::NodeId node;
  std::string name, op_type, weight_name;  ///< of the node, and of the initializer
  ir::WeightRef weight;
};

/// The node as a layer; nullopt where it is none.
std::optional<Layer> layer_at(const ir::Graph& graph, ir::NodeId node);

/// All layers in graph order.
std::vector<Layer> find_layers(const ir::Graph& graph);

/// Nodes that the selectors name. A selector is a node's name, its weight's name, a glob over these, `re:` with a
/// regular expression over whole names, an operator type, or `first` / `last`: the layers with no other layer between
/// them and the graph's inputs / outputs. `others` are further nodes that may be named (they are never first or last).
/// Error(kUsage) names the selector that matches nothing, with near misses.
std::set<ir::NodeId> select_nodes(const ir::Graph& graph, const std::vector<Layer>& layers,
                                  std::span<const ir::NodeId> others, const std::vector<std::string>& selectors,
                                  const std::string& subject);

/// The layers that `include` (all when empty) names and `exclude` does not. Error(kUsage) when none is left.
std::vector<Layer> target_layers(const ir::Graph& graph, const nlohmann::json& options, const std::string& subject);

/// Those of `layers` that `include` (all when empty) names and `exclude` does not. Error(kUsage) when none is left.
std::vector<Layer> chosen_layers(const ir::Graph& graph, const std::vector<Layer>& layers,
                                 const nlohmann::json& options, const std::string& subject);

/// The declarations of `include` and `exclude`.
std::vector<Option> target_options();

}  // namespace pare::compress
