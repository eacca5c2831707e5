#include <algorithm>

#include "ir/expansion.h"
#include "pare/error.h"
#include "passes/qdq.h"
#include "passes/rewrite.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

std::vector<ir::ValueFacts> facts_of(const Graph& graph, const ir::Node& node) {
  std::vector<ir::ValueFacts> facts;
  for (ValueId id : node.inputs) {
    ir::ValueFacts& known = facts.emplace_back();
    if (id == ir::kNoValue) continue;
    known.dtype = graph.value(id).dtype;
    known.shape = graph.value(id).shape;
    known.constant = graph.constant(id);
  }
  return facts;
}

/// Makes the call's output the one that the expansion computes.
void hand_over(Graph& graph, NodeId call, ValueId from, ValueId to, bool keep) {
  const NodeId producer = graph.producer(from);
  if (!keep && producer != ir::kNoNode && graph.value(from).consumers.empty()) {
    const std::vector<ValueId>& written = graph.node(producer).outputs;
    const auto slot = static_cast<std::size_t>(std::find(written.begin(), written.end(), from) - written.begin());
    graph.set_output(producer, slot, to);
    if (!graph.is_output(from)) graph.erase_value(from);
    return;
  }
  ir::Node identity;
  identity.op_type = "Identity";
  identity.inputs = {from};
  identity.outputs = {to};
  graph.add_node(std::move(identity), call);
}

/// Takes out the nodes that came after `last`: an expansion that was given up.
void take_back(Graph& graph, NodeId last) {
  const std::vector<NodeId> order = graph.nodes();
  for (auto it = order.rbegin(); it != order.rend(); ++it)
    if (*it > last) graph.erase_node(*it);
}

bool expand_one(ir::Model& model, NodeId id, const ir::ExpansionRow& row) {
  Graph& graph = model.graph;
  const ir::Node node = graph.node(id);
  const std::vector<ir::ValueFacts> facts = facts_of(graph, node);
  const NodeId last = *std::max_element(graph.nodes().begin(), graph.nodes().end());
  ir::Expansion expansion(graph, node, model.opset(), node.inputs, facts, id);
  try {
    row.expand(expansion);
  } catch (const ir::NotKnown&) {
    take_back(graph, last);
    return false;
  }
  const std::vector<ValueId>& outputs = expansion.outputs();
  for (std::size_t slot = 0; slot < outputs.size(); ++slot)
    if (node.outputs[slot] != ir::kNoValue && outputs[slot] == ir::kNoValue) {
      take_back(graph, last);
      return false;
    }
  for (std::size_t slot = 0; slot < outputs.size(); ++slot) {
    if (node.outputs[slot] == ir::kNoValue) continue;
    graph.set_output(id, slot, ir::kNoValue);
    const bool again = std::find(outputs.begin() + static_cast<std::ptrdiff_t>(slot) + 1, outputs.end(),
                                 outputs[slot]) != outputs.end();
    hand_over(graph, id, outputs[slot], node.outputs[slot], again);
  }
  graph.erase_node(id);
  return true;
}

/// Brings the model to the operator set that an expansion needs, where that can be done.
bool raise(ir::Model& model, std::int64_t since) {
  try {
    raise_opset(model, since);
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return false;
  }
}

}  // namespace

int expand_nodes(ir::Model& model, bool quantized, const std::function<bool(const ir::Node&)>& keep) {
  int count = 0;
  const std::vector<NodeId> order = model.graph.nodes();
  for (NodeId id : order) {
    const ir::ExpansionRow* row = ir::find_expansion(model.graph.node(id));
    if (row == nullptr || row->quantized != quantized) continue;
    if (keep && keep(model.graph.node(id))) continue;
    if (model.opset() < row->since && (row->since > 13 || !raise(model, row->since))) continue;
    count += expand_one(model, id, *row);
  }
  return count;
}

}  // namespace pare::passes
