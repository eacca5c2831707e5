#include "ir/codebook.h"

#include <algorithm>

#include "ir/op.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

const Node* made_by(const Graph& graph, ValueId id, const char* type) {
  const NodeId producer = id == kNoValue ? kNoNode : graph.producer(id);
  return producer != kNoNode && graph.node(producer).is(type) ? &graph.node(producer) : nullptr;
}

Tensor evaluated(const Model& model, ValueId id) {
  if (const Tensor* constant = model.graph.constant(id)) return *constant;
  const Node& node = model.graph.node(model.graph.producer(id));
  std::vector<Tensor> inputs;
  for (const ValueId input : node.inputs) inputs.push_back(evaluated(model, input));
  const std::int64_t opset = model.opset(node.domain);
  return find_operator(node, opset)->evaluate(EvaluateContext{node, opset, inputs}).at(0);
}

/// What puts vectors into the weight's shape.
bool shapes(const Node& node) { return node.is("Reshape") || node.is("Transpose"); }

/// The last node that only shapes what the Gather gives, on its only way; the Gather itself where there is none.
NodeId end_of_weight(const Graph& graph, NodeId gather) {
  for (NodeId next = graph.sole_consumer(graph.node(gather).output(0)); next != kNoNode && shapes(graph.node(next));
       next = graph.sole_consumer(graph.node(gather).output(0))) {
    const bool fixed = graph.node(next).is("Transpose") || graph.constant(graph.node(next).input(1));
    if (!fixed || graph.node(next).input(0) != graph.node(gather).output(0)) break;
    gather = next;
  }
  return gather;
}

}  // namespace

std::optional<Codebook> find_codebook(const Graph& graph, const Node& node) {
  if (!node.is("Gather")) return std::nullopt;
  const Tensor* values = graph.constant(node.input(0));
  if (!values || values->rank() < 1 || values->rank() > 2 || !is_float(values->dtype())) return std::nullopt;
  if (node.int_or("axis", 0) != 0) return std::nullopt;
  const Node* add = made_by(graph, node.input(1), "Add");
  if (add && !graph.constant(add->input(1))) return std::nullopt;
  const Node* cast = made_by(graph, add ? add->input(0) : node.input(1), "Cast");
  if (!cast || !graph.constant(cast->input(0))) return std::nullopt;
  return Codebook{node.input(0), cast->input(0)};
}

std::optional<Codebook> codebook_behind(const Graph& graph, ValueId weight) {
  NodeId producer = weight == kNoValue ? kNoNode : graph.producer(weight);
  while (producer != kNoNode && shapes(graph.node(producer))) producer = graph.producer(graph.node(producer).input(0));
  return producer == kNoNode ? std::nullopt : find_codebook(graph, graph.node(producer));
}

bool has_codebooks(const Graph& graph) {
  const auto nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(), [&](NodeId id) { return find_codebook(graph, graph.node(id)); });
}

void expand_codebooks(Model& model) {
  const auto nodes = model.graph.nodes();
  for (const NodeId id : std::vector<NodeId>(nodes.begin(), nodes.end())) {
    if (!model.graph.has_node(id) || !find_codebook(model.graph, model.graph.node(id))) continue;
    const NodeId end = end_of_weight(model.graph, id);
    const ValueId out = model.graph.node(end).output(0);
    Tensor weights = gathered_weights(model, model.graph.node(end));
    for (NodeId at = end;;) {
      const NodeId before = at == id ? kNoNode : model.graph.producer(model.graph.node(at).input(0));
      model.graph.erase_node(at);  // and with it, of the others, the value that only it wrote
      if (before == kNoNode) break;
      at = before;
    }
    model.graph.set_constant(out, std::move(weights));
  }
}

Tensor gathered_weights(const Model& model, const Node& gather) { return evaluated(model, gather.output(0)); }

}  // namespace pare::ir
