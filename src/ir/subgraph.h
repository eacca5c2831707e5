// Graphs inside node attributes (the branches of If, the bodies of Loop and Scan): what they read from the graphs
// around them, how they run and what is inferred of them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ir/model.h"
#include "ir/op.h"

namespace pare::ir {

using Opsets = std::map<std::string, std::int64_t>;

/// Runs `visit` on every subgraph held by the node's attributes.
template <class F>
void for_each_subgraph(const Node& node, F&& visit) {
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      if (*one) visit(**one);
    } else if (const auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (const auto& graph : *many)
        if (graph) visit(*graph);
    }
  }
}

/// Runs `visit` on every node of the graph and of the graphs in it.
template <class F>
void for_each_node(const Graph& graph, F&& visit) {
  for (NodeId id : graph.nodes()) {
    visit(graph.node(id));
    for_each_subgraph(graph.node(id), [&](const Graph& inner) { for_each_node(inner, visit); });
  }
}

bool has_subgraph(const Node& node);

/// Names that the node's subgraphs read from the graphs around them, sorted. In InferContext::inputs and
/// EvaluateContext::inputs these values follow the node's own inputs, in this order.
std::vector<std::string> captures(const Node& node);
/// How many of the node's inputs are its own: all, unless captures have been lifted.
std::size_t own_inputs(const Node& node);
bool captures_are_lifted(const Node& node);
/// Makes what the subgraphs of the graph's nodes read from it inputs of these nodes, after their own, so that every use
/// is an edge of the graph. For private copies: such a node is no ONNX.
void lift_captures(Graph& graph);

/// While alive, what loops of this thread may gather (states and slices) and what a result of the scalar reference may
/// take; without one, half of the machine's memory.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t bytes);  ///< 0: no change
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  static std::int64_t bytes();

 private:
  std::int64_t before_;
};

/// Runs some subgraphs in the place of the scalar reference, for GraphRunners of the thread while a SubgraphScope is
/// alive.
class SubgraphEngine {
 public:
  virtual ~SubgraphEngine() = default;
  /// nullopt: not a graph of this engine, or nothing that it can run.
  virtual std::optional<std::vector<Tensor>> run(const Graph& graph, std::span<const Tensor> inputs,
                                                 const std::map<std::string, Tensor>& around) = 0;
};

class SubgraphScope {
 public:
  explicit SubgraphScope(SubgraphEngine* engine);  ///< nullptr: the scalar reference runs everything
  ~SubgraphScope();
  SubgraphScope(const SubgraphScope&) = delete;
  SubgraphScope& operator=(const SubgraphScope&) = delete;
  static SubgraphEngine* current();

 private:
  SubgraphEngine* before_;
};

/// A graph made ready to run by the scalar reference, once or many times. The graph must outlive it.
class GraphRunner {
 public:
  using Around = std::map<std::string, Tensor>;  ///< captured values by name
  /// Throws Error(kUnsupported) naming a node of an unknown operator.
  GraphRunner(const Graph& graph, const Opsets& opsets);
  /// Inputs and outputs in the order of the graph's.
  std::vector<Tensor> run(std::span<const Tensor> inputs, const Around& around = {}) const;

 private:
  struct Step {
    const Node* node;
    const Operator* op;
    std::int64_t opset;
    std::vector<std::string> captured;
  };
  const Tensor& get(ValueId id, const std::vector<Tensor>& live, const Around& around) const;
  const Tensor& get(const std::string& name, const std::vector<Tensor>& live, const Around& around) const;
  void run_step(const Step& step, std::vector<Tensor>& live, std::vector<int>& uses, const Around& around) const;

  const Graph& graph_;
  std::vector<Step> steps_;
  std::vector<int> uses_;  ///< by value: reads by nodes, subgraphs and as a graph output
};

/// Facts of the graph's outputs from those of its inputs and of what it captures.
std::vector<ValueFacts> infer_graph(const Graph& graph, const Opsets& opsets, std::span<const ValueFacts> inputs,
                                    const std::map<std::string, ValueFacts>& around);

}  // namespace pare::ir
