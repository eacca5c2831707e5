#include "compress/targets.h"

#include <algorithm>
#include <regex>

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

struct Candidate {
  ir::NodeId node;
  std::string name, op_type, weight_name;
};

/// Nodes that are reached from `start` towards the inputs or the outputs without passing a layer count it as outermost.
bool reaches_edge(const ir::Graph& graph, ir::NodeId start, const std::set<ir::NodeId>& layers, bool towards_inputs) {
  std::vector<ir::NodeId> pending = {start};
  std::set<ir::NodeId> seen;
  while (!pending.empty()) {
    ir::NodeId id = pending.back();
    pending.pop_back();
    if (!seen.insert(id).second) continue;
    if (id != start && layers.count(id)) return false;
    const ir::Node& node = graph.node(id);
    for (ir::ValueId value : towards_inputs ? node.inputs : node.outputs) {
      if (value == ir::kNoValue) continue;
      if (towards_inputs && graph.producer(value) != ir::kNoNode) pending.push_back(graph.producer(value));
      if (!towards_inputs)
        for (ir::NodeId consumer : graph.value(value).consumers) pending.push_back(consumer);
    }
  }
  return true;
}

std::set<ir::NodeId> outermost(const ir::Graph& graph, const std::vector<Layer>& layers, bool first) {
  std::set<ir::NodeId> ids, result;
  for (const Layer& layer : layers) ids.insert(layer.node);
  for (const Layer& layer : layers)
    if (reaches_edge(graph, layer.node, ids, first)) result.insert(layer.node);
  return result;
}

std::regex compile_regex(const std::string& selector, const std::string& subject) {
  try {
    return std::regex(selector.substr(3));
  } catch (const std::regex_error& error) {
    throw Error(ErrorCode::kUsage, subject, "'" + selector + "' is not a regular expression: " + error.what());
  }
}

std::set<ir::NodeId> match(const std::vector<Candidate>& candidates, const std::string& selector,
                           const std::string& subject) {
  std::set<ir::NodeId> result;
  bool is_regex = selector.rfind("re:", 0) == 0;
  std::regex expression;
  if (is_regex) expression = compile_regex(selector, subject);
  for (const Candidate& candidate : candidates) {
    bool hit = candidate.op_type == selector;
    for (const std::string* name : {&candidate.name, &candidate.weight_name}) {
      if (name->empty()) continue;
      hit = hit || (is_regex ? std::regex_match(*name, expression) : *name == selector || glob_match(selector, *name));
    }
    if (hit) result.insert(candidate.node);
  }
  return result;
}

std::string suggestion(const std::vector<Candidate>& candidates, const std::string& selector) {
  std::set<std::string> words = {"first", "last"};
  for (const Candidate& candidate : candidates)
    words.insert({candidate.name, candidate.op_type, candidate.weight_name});
  words.erase("");
  return did_you_mean(selector, std::vector<std::string>(words.begin(), words.end()));
}

}  // namespace

std::optional<Layer> layer_at(const ir::Graph& graph, ir::NodeId id) {
  const auto weight = ir::find_weight(graph, id);
  if (!weight) return std::nullopt;
  const ir::Node& node = graph.node(id);
  return Layer{id, node.name, node.op_type, graph.value(weight->value).name, *weight};
}

std::vector<Layer> find_layers(const ir::Graph& graph) {
  std::vector<Layer> layers;
  for (ir::NodeId id : graph.nodes())
    if (const auto layer = layer_at(graph, id)) layers.push_back(*layer);
  return layers;
}

std::set<ir::NodeId> select_nodes(const ir::Graph& graph, const std::vector<Layer>& layers,
                                  std::span<const ir::NodeId> others, const std::vector<std::string>& selectors,
                                  const std::string& subject) {
  std::vector<Candidate> candidates;
  for (const Layer& layer : layers) candidates.push_back({layer.node, layer.name, layer.op_type, layer.weight_name});
  for (ir::NodeId id : others) candidates.push_back({id, graph.node(id).name, graph.node(id).op_type, ""});
  std::set<ir::NodeId> result;
  for (const std::string& selector : selectors) {
    std::set<ir::NodeId> hits = selector == "first" || selector == "last"
                                    ? outermost(graph, layers, selector == "first")
                                    : match(candidates, selector, subject);
    if (hits.empty())
      throw Error(ErrorCode::kUsage, subject, "'" + selector + "' matches no layer" + suggestion(candidates, selector));
    result.insert(hits.begin(), hits.end());
  }
  return result;
}

std::vector<Layer> target_layers(const ir::Graph& graph, const nlohmann::json& options, const std::string& subject) {
  return chosen_layers(graph, find_layers(graph), options, subject);
}

std::vector<Layer> chosen_layers(const ir::Graph& graph, const std::vector<Layer>& layers,
                                 const nlohmann::json& options, const std::string& subject) {
  std::vector<Layer> targets;
  if (layers.empty())
    throw Error(ErrorCode::kUnsupported, subject, "the model has no layer with weights", "Conv, Gemm or MatMul");
  auto include = options.at("include").get<std::vector<std::string>>();
  auto exclude = options.at("exclude").get<std::vector<std::string>>();
  std::set<ir::NodeId> in = select_nodes(graph, layers, {}, include, subject + ".include");
  std::set<ir::NodeId> out = select_nodes(graph, layers, {}, exclude, subject + ".exclude");
  for (const Layer& layer : layers)
    if ((include.empty() || in.count(layer.node)) && !out.count(layer.node)) targets.push_back(layer);
  if (targets.empty()) throw Error(ErrorCode::kUsage, subject, "include and exclude leave no layer");
  return targets;
}

std::vector<Option> target_options() {
  return {
      {"include", OptionType::kStrings, "[]",
       "only these layers: names, globs, re:patterns, operator types, first, last (all when empty)"},
      {"exclude", OptionType::kStrings, "[]", "not these layers; selectors as for include"},
  };
}

}  // namespace pare::compress
