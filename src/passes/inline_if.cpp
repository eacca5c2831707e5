// y = If(c){ then | else }   →   the nodes of the branch that c chooses
//
// Conditions: c is a constant. Values that the branch reads from around are the graph's own.
#include <algorithm>

#include "passes/body_copy.h"
#include "passes/pass.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

/// The branch that the node's constant condition chooses; nullptr otherwise.
std::shared_ptr<Graph> chosen(const Graph& graph, const ir::Node& node) {
  const Tensor* condition = node.is("If") ? graph.constant(node.input(0)) : nullptr;
  if (!condition || condition->dtype() != DType::kBool || condition->numel() != 1) return nullptr;
  const ir::Attribute* branch = node.find(condition->data<bool>()[0] ? "then_branch" : "else_branch");
  const auto* found = branch ? std::get_if<std::shared_ptr<Graph>>(&branch->value) : nullptr;
  return found && *found && (*found)->outputs.size() >= node.outputs.size() ? *found : nullptr;
}

/// The graph's value behind a captured name of the node.
ValueId around(const Graph& graph, const ir::Node& node, const std::string& name) {
  if (!ir::captures_are_lifted(node)) return graph.find_value(name);
  const std::vector<std::string> names = ir::captures(node);
  const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  return node.input(ir::own_inputs(node) + at);
}

/// A branch with subgraphs of its own stays when its captures have been lifted: names no longer tell what they are.
bool can_inline(const ir::Node& node, const Graph& branch) {
  return !ir::captures_are_lifted(node) ||
         std::ranges::none_of(branch.nodes(), [&](NodeId id) { return ir::has_subgraph(branch.node(id)); });
}

int run(ir::Model& model) {
  Graph& graph = model.graph;
  int count = 0;
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    const std::shared_ptr<Graph> branch = chosen(graph, graph.node(id));
    if (!branch || !can_inline(graph.node(id), *branch)) continue;
    Names names(graph);
    BodyCopy copy(graph, *branch, graph.node(id).name, names);
    for (ValueId value : branch->values())
      if (branch->value(value).captured) copy.bind(value, around(graph, graph.node(id), branch->value(value).name));
    copy.splice(id);
    ++count;
  }
  return count;
}

}  // namespace

extern const Pass k_inline_if;
const Pass k_inline_if{"inline_if", "If with a constant condition → the branch it chooses", run};

}  // namespace pare::passes
