// What If, Loop and Scan share: their subgraphs, the captured values, and stacking the slices that iterations make.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/subgraph.h"

namespace pare::ir::ops {

/// More iterations are taken for an endless loop.
inline constexpr std::int64_t kMostIterations = std::int64_t{1} << 22;

/// The graph of an attribute; throws through `ctx` when it is missing.
template <class Context>
const Graph& subgraph(const Context& ctx, const std::string& attribute) {
  const Attribute* found = ctx.node.find(attribute);
  const auto* graph = found == nullptr ? nullptr : std::get_if<std::shared_ptr<Graph>>(&found->value);
  if (graph == nullptr || !*graph) ctx.fail("attribute '" + attribute + "' with the graph is missing");
  return **graph;
}

/// Throws unless the graph has this many inputs and outputs.
template <class Context>
void require_arity(const Context& ctx, const Graph& graph, const std::string& what, std::size_t inputs,
                   std::size_t outputs) {
  if (graph.inputs.size() != inputs)
    ctx.fail(what + " has the wrong number of inputs", std::to_string(inputs), std::to_string(graph.inputs.size()));
  if (graph.outputs.size() != outputs)
    ctx.fail(what + " has the wrong number of outputs", std::to_string(outputs), std::to_string(graph.outputs.size()));
}

/// Operator sets inside the subgraphs: the node's own, and the first of every other domain, which have but one.
Opsets inner_opsets(const Graph& graph, std::int64_t opset);

/// The captured values by name, from the context's last inputs.
std::map<std::string, ValueFacts> around(const InferContext& ctx);
GraphRunner::Around around(const EvaluateContext& ctx);

/// One type and shape for what is `a` at one time and `b` at another: dimensions that differ are unknown.
ValueFacts generalize(const ValueFacts& a, const ValueFacts& b);

/// Throws Error(kMemory) when what a loop holds passes the thread's MemoryBudget.
void require_fits(const EvaluateContext& ctx, std::int64_t bytes);

/// Stacks slices of one type and shape along a new axis; `slice` tells type and shape where there is none. Throws
/// Error(kBadInput) through `ctx` when two differ in shape.
Tensor stack(const EvaluateContext& ctx, std::span<const Tensor> slices, const ValueFacts& slice, std::int64_t axis);

}  // namespace pare::ir::ops
