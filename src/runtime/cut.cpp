#include "runtime/cut.h"

#include <algorithm>
#include <optional>
#include <set>

#include "ir/subgraph.h"

namespace pare::runtime {

namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

enum class When { kNow, kEvaluated, kLater };

/// Small integers (and scales) that a shape may follow from; more elements are no parameters.
constexpr std::int64_t kMostElements = 64;

bool has_static_shape(const Graph& graph, ValueId id) {
  return id == ir::kNoValue || graph.value(id).shape.static_dims().has_value();
}

/// Only running these tells how much they give, whatever is known of their parameters.
bool depends_on_elements(const ir::Node& node) {
  return node.is("NonZero") || node.is("NonMaxSuppression") || node.is("Unique") || node.is("Compress") ||
         ir::has_subgraph(node);
}

/// Inputs of the node that are parameters and not yet constant.
std::vector<ValueId> parameters(const Graph& graph, const ir::Node& node) {
  std::vector<ValueId> found;
  if (depends_on_elements(node)) return found;
  const std::size_t first = node.is("Range") || node.is("ConstantOfShape") ? 0 : 1;
  for (std::size_t slot = first; slot < node.inputs.size(); ++slot) {
    const ValueId id = node.inputs[slot];
    if (id == ir::kNoValue || graph.constant(id)) continue;
    const ir::Value& value = graph.value(id);
    const auto dims = value.shape.static_dims();
    const bool number = value.dtype == DType::kInt64 || value.dtype == DType::kInt32 || value.dtype == DType::kFloat32;
    if (number && dims && dims->size() <= 1 && element_count(*dims) <= kMostElements) found.push_back(id);
  }
  return found;
}

class Cutter {
 public:
  Cutter(const ir::Model& model, std::size_t true_outputs) : model_(model), true_outputs_(true_outputs) {
    for (NodeId id : graph().nodes()) {
      if (static_cast<std::size_t>(id) >= when_.size()) when_.resize(static_cast<std::size_t>(id) + 1, When::kNow);
      when_[static_cast<std::size_t>(id)] = classify(id);
    }
  }

  bool whole() const {
    return std::all_of(when_.begin(), when_.end(), [](When when) { return when == When::kNow; });
  }

  Cut run() {
    Cut cut;
    Rest rest;
    rest.prepared.model = tail(rest);
    rest.prepared.true_outputs = later_outputs(0, true_outputs_).size();
    cut.head = head(rest);
    cut.true_outputs = now_outputs(0, true_outputs_).size();
    cut.observed = now_outputs(true_outputs_, graph().outputs.size()).size();
    cut.rest = std::move(rest);
    return cut;
  }

 private:
  const Graph& graph() const { return model_.graph; }

  When when_of(ValueId id) const {
    const NodeId producer = graph().producer(id);
    return producer == ir::kNoNode ? When::kNow : when_of_node(producer);
  }
  When when_of_node(NodeId id) const { return when_.at(static_cast<std::size_t>(id)); }

  When classify(NodeId id) {
    const ir::Node& node = graph().node(id);
    for (ValueId input : node.inputs)
      if (when_of(input) != When::kNow) return When::kLater;
    if (std::all_of(node.outputs.begin(), node.outputs.end(),
                    [&](ValueId out) { return has_static_shape(graph(), out); }))
      return When::kNow;
    const std::vector<ValueId> found = parameters(graph(), node);
    bound_.insert(found.begin(), found.end());
    return found.empty() ? When::kEvaluated : When::kLater;
  }

  std::vector<ValueId> outputs_where(std::size_t first, std::size_t last, bool now) const {
    std::vector<ValueId> found;
    for (std::size_t i = first; i < last; ++i)
      if ((when_of(graph().outputs[i]) == When::kNow) == now) found.push_back(graph().outputs[i]);
    return found;
  }
  std::vector<ValueId> now_outputs(std::size_t first, std::size_t last) const {
    return outputs_where(first, last, true);
  }
  std::vector<ValueId> later_outputs(std::size_t first, std::size_t last) const {
    return outputs_where(first, last, false);
  }

  /// Without nodes before and between; values that lost their producer become inputs.
  ir::Model tail(Rest& rest) const {
    ir::Model model = model_;
    Graph& g = model.graph;
    g.inputs.clear();
    g.outputs = later_outputs(0, graph().outputs.size());
    const std::vector<NodeId> order = g.nodes();
    for (auto it = order.rbegin(); it != order.rend(); ++it) {
      if (when_of_node(*it) == When::kEvaluated) rest.evaluated.insert(rest.evaluated.begin(), *it);
      if (when_of_node(*it) == When::kEvaluated || (when_of_node(*it) == When::kNow && !g.node(*it).is("DequantizeLinear")))
        g.erase_node(*it);
    }
    g.erase_dead();
    for (ValueId id : g.values()) {
      if (g.value(id).producer != ir::kNoNode || g.value(id).constant) continue;
      g.inputs.push_back(id);
      rest.sources.push_back(source(rest, id));
      rest.bound.push_back(bound_.contains(id));
    }
    return model;
  }

  Rest::Source source(const Rest& rest, ValueId id) const {
    const NodeId producer = graph().producer(id);
    for (std::size_t i = 0; i < rest.evaluated.size(); ++i) {
      if (rest.evaluated[i] != producer) continue;
      const std::vector<ValueId>& outputs = graph().node(producer).outputs;
      return {static_cast<int>(i),
              static_cast<std::size_t>(std::find(outputs.begin(), outputs.end(), id) - outputs.begin())};
    }
    return {};
  }

  ir::Model head(const Rest& rest) const {
    ir::Model model = model_;
    Graph& g = model.graph;
    std::vector<ValueId> outputs = now_outputs(0, graph().outputs.size()), carried;
    for (NodeId id : rest.evaluated) {
      const std::vector<ValueId>& inputs = graph().node(id).inputs;
      carried.insert(carried.end(), inputs.begin(), inputs.end());
    }
    for (std::size_t i = 0; i < rest.sources.size(); ++i)
      if (rest.sources[i].evaluated < 0) carried.push_back(rest.prepared.model.graph.inputs[i]);
    std::erase(carried, ir::kNoValue);
    outputs.insert(outputs.end(), carried.begin(), carried.end());
    g.outputs = outputs;
    const std::vector<NodeId> order = g.nodes();
    for (auto it = order.rbegin(); it != order.rend(); ++it)
      if (when_of_node(*it) != When::kNow) g.erase_node(*it);
    g.erase_dead();
    return model;
  }

  const ir::Model& model_;
  std::size_t true_outputs_;
  std::vector<When> when_;  ///< by node
  std::set<ValueId> bound_;
};

}  // namespace

Cut cut_at_data(ir::Model& model, std::size_t true_outputs) {
  Cutter cutter(model, true_outputs);
  if (!cutter.whole()) return cutter.run();
  Cut cut;
  cut.true_outputs = true_outputs;
  cut.observed = model.graph.outputs.size() - true_outputs;
  cut.head = std::move(model);
  return cut;
}

}  // namespace pare::runtime
