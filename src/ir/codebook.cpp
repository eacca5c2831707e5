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

}  // namespace

std::optional<Codebook> find_codebook(const Graph& graph, const Node& node) {
  if (!node.is("Gather")) return std::nullopt;
  const Tensor* values = graph.constant(node.input(0));
  if (!values || values->rank() != 1 || !is_float(values->dtype())) return std::nullopt;
  const Node* add = made_by(graph, node.input(1), "Add");
  if (add && !graph.constant(add->input(1))) return std::nullopt;
  const Node* cast = made_by(graph, add ? add->input(0) : node.input(1), "Cast");
  if (!cast || !graph.constant(cast->input(0))) return std::nullopt;
  return Codebook{node.input(0), cast->input(0)};
}

bool has_codebooks(const Graph& graph) {
  const auto nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(), [&](NodeId id) { return find_codebook(graph, graph.node(id)); });
}

void expand_codebooks(Model& model) {
  const auto nodes = model.graph.nodes();
  for (const NodeId id : std::vector<NodeId>(nodes.begin(), nodes.end())) {
    if (!find_codebook(model.graph, model.graph.node(id))) continue;
    const ValueId out = model.graph.node(id).output(0);
    Tensor weights = gathered_weights(model, model.graph.node(id));
    model.graph.erase_node(id);
    model.graph.set_constant(out, std::move(weights));
  }
}

Tensor gathered_weights(const Model& model, const Node& gather) { return evaluated(model, gather.output(0)); }

}  // namespace pare::ir
