#include "passes/body_copy.h"

#include "pare/error.h"

namespace pare::passes {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

void Names::add(const Graph& graph) {
  for (ValueId id : graph.values()) taken_.insert(graph.value(id).name);
  for (NodeId id : graph.nodes()) ir::for_each_subgraph(graph.node(id), [&](const Graph& inner) { add(inner); });
}

std::string Names::fresh(const std::string& base) {
  if (taken_.insert(base).second) return base;
  for (int& count = last_[base];;) {
    std::string name = base + "_" + std::to_string(++count);
    if (taken_.insert(name).second) return name;
  }
}

ValueId BodyCopy::value(ValueId id) {
  if (id == ir::kNoValue) return id;
  if (const auto known = values_.find(id); known != values_.end()) return known->second;
  const ir::Value& value = body_.value(id);
  ValueId made = value.captured ? target_.find_value(value.name) : ir::kNoValue;
  if (made == ir::kNoValue) {
    made = target_.add_value(value.captured ? value.name : names_.fresh(prefix_ + "/" + value.name));
    target_.value(made).captured = value.captured;
    if (value.constant) target_.set_constant(made, *value.constant);
  }
  return values_[id] = made;
}

std::vector<NodeId> BodyCopy::splice(NodeId id, const EditAttributes& edit) {
  const std::vector<ValueId> outputs = target_.node(id).outputs;
  for (std::size_t slot = 0; slot < outputs.size(); ++slot) target_.set_output(id, slot, ir::kNoValue);
  std::vector<std::pair<ValueId, ValueId>> passed;  // outputs that no node of the body writes, or that it lists twice
  for (std::size_t slot = 0; slot < outputs.size(); ++slot) {
    if (outputs[slot] == ir::kNoValue) continue;
    const ValueId written = body_.outputs[slot];
    if (is_bound(written) || body_.producer(written) == ir::kNoNode)
      passed.emplace_back(written, outputs[slot]);
    else
      bind(written, outputs[slot]);
  }
  std::vector<NodeId> added = add_nodes(id, edit);
  for (const auto& [from, to] : passed) {
    ir::Node identity;
    identity.op_type = "Identity";
    identity.inputs = {value(from)};
    identity.outputs = {to};
    if (identity.inputs[0] == ir::kNoValue)
      throw Error(ErrorCode::kBadInput, prefix_,
                  "output '" + target_.value(to).name + "' is an input of the function that the call omits");
    target_.add_node(std::move(identity), id);
  }
  target_.erase_node(id);
  return added;
}

std::vector<NodeId> BodyCopy::add_nodes(NodeId before, const EditAttributes& edit) {
  Renamed outer;
  for (ValueId id : body_.values()) {
    const ValueId to = value(id);
    outer[body_.value(id).name] = to == ir::kNoValue ? "" : target_.value(to).name;
  }
  std::vector<NodeId> added;
  for (NodeId id : body_.nodes()) {
    ir::Node node = body_.node(id);
    node.name = prefix_ + "/" + node.name;
    for (ValueId& input : node.inputs) input = value(input);
    for (ValueId& output : node.outputs) output = value(output);
    copy_subgraphs(node.attributes, outer, edit);
    edit(node.attributes);
    added.push_back(target_.add_node(std::move(node), before));
  }
  return added;
}

void BodyCopy::copy_subgraphs(ir::Attributes& attributes, const Renamed& outer, const EditAttributes& edit) {
  for (auto& [name, attribute] : attributes) {
    if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
      if (*one) *one = copy_subgraph(**one, outer, edit);
    } else if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      for (std::shared_ptr<Graph>& graph : *many)
        if (graph) graph = copy_subgraph(*graph, outer, edit);
    }
  }
}

std::shared_ptr<Graph> BodyCopy::copy_subgraph(const Graph& graph, const Renamed& outer, const EditAttributes& edit) {
  auto copy = std::make_shared<Graph>(graph);
  Renamed inner = outer;
  std::vector<std::pair<ValueId, std::string>> wanted;
  // Captured values that become one value or none: two parameters that a call gives the same argument, or omits.
  std::map<std::string, ValueId> captured;
  for (ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    const auto around = outer.find(value.name);
    const std::string name = !value.captured         ? names_.fresh(prefix_ + "/" + value.name)
                             : around == outer.end() ? value.name
                                                     : around->second;
    inner[value.name] = name;
    const auto [same, fresh] = captured.try_emplace(name, id);
    if (name.empty() && graph.is_output(id))
      throw Error(ErrorCode::kBadInput, prefix_, "a branch gives '" + value.name + "', an input that the call omits");
    if (name.empty() || !fresh) {
      copy->replace_uses(id, name.empty() ? ir::kNoValue : same->second, true);
      copy->erase_value(id);
      continue;
    }
    wanted.emplace_back(id, name);
  }
  // Through names that nothing has, so that no step meets a name that is given up only later.
  for (const auto& [id, name] : wanted) copy->rename(id, names_.fresh(prefix_ + "/renamed"));
  for (const auto& [id, name] : wanted) copy->rename(id, name);
  for (NodeId id : copy->nodes()) {
    ir::Attributes& attributes = copy->node(id).attributes;
    copy_subgraphs(attributes, inner, edit);
    edit(attributes);
  }
  return copy;
}

}  // namespace pare::passes
