#include "ir/graph.h"

#include <algorithm>
#include <cassert>
#include <queue>
#include <set>

#include "ir/subgraph.h"
#include "pare/error.h"

namespace pare::ir {

namespace {

template <class Taken>
std::string unique_name(const Taken& taken, const std::string& base, const char* fallback) {
  const std::string stem = base.empty() ? fallback : base;
  if (!base.empty() && !taken(stem)) return stem;
  for (int i = 1;; ++i) {
    std::string name = stem + "_" + std::to_string(i);
    if (!taken(name)) return name;
  }
}

}  // namespace

std::vector<ValueId> Graph::values() const {
  std::vector<ValueId> ids;
  for (std::size_t i = 0; i < value_slots_.size(); ++i)
    if (value_slots_[i]) ids.push_back(static_cast<ValueId>(i));
  return ids;
}

bool Graph::has_value(ValueId id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < value_slots_.size() && value_slots_[static_cast<std::size_t>(id)];
}

bool Graph::has_node(NodeId id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < node_slots_.size() && node_slots_[static_cast<std::size_t>(id)];
}

const Node& Graph::node(NodeId id) const {
  assert(has_node(id));
  return *node_slots_[static_cast<std::size_t>(id)];
}

Node& Graph::node(NodeId id) {
  assert(has_node(id));
  return *node_slots_[static_cast<std::size_t>(id)];
}

const Value& Graph::value(ValueId id) const {
  assert(has_value(id));
  return *value_slots_[static_cast<std::size_t>(id)];
}

Value& Graph::value(ValueId id) {
  assert(has_value(id));
  return *value_slots_[static_cast<std::size_t>(id)];
}

ValueId Graph::find_value(const std::string& name) const {
  return value_names_.find(name, [this](ValueId id) -> const std::string& { return value_name(id); });
}

NodeId Graph::find_node(const std::string& name) const {
  return node_names_.find(name, [this](NodeId id) -> const std::string& { return node_name(id); });
}

bool Graph::is_input(ValueId id) const { return std::find(inputs.begin(), inputs.end(), id) != inputs.end(); }
bool Graph::is_output(ValueId id) const { return std::find(outputs.begin(), outputs.end(), id) != outputs.end(); }

const Tensor* Graph::constant(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const Value& v = value(id);
  return v.constant ? &*v.constant : nullptr;
}

NodeId Graph::sole_consumer(ValueId id) const {
  const Value& v = value(id);
  return v.consumers.size() == 1 && !is_output(id) ? v.consumers.front() : kNoNode;
}

ValueId Graph::add_value(const std::string& name, DType dtype, Shape shape) {
  const auto id = static_cast<ValueId>(value_slots_.size());
  Value value;
  value.name = unique_value_name(name);
  value.dtype = dtype;
  value.shape = std::move(shape);
  value_names_.insert(value.name, id);
  value_slots_.emplace_back(std::move(value));
  return id;
}

ValueId Graph::add_input(const std::string& name, DType dtype, Shape shape) {
  const ValueId id = add_value(name, dtype, std::move(shape));
  inputs.push_back(id);
  return id;
}

ValueId Graph::add_initializer(const std::string& name, Tensor tensor) {
  const ValueId id = add_value(name);
  set_constant(id, std::move(tensor));
  return id;
}

void Graph::set_constant(ValueId id, Tensor tensor) {
  Value& v = value(id);
  v.dtype = tensor.dtype();
  v.shape = Shape::of(tensor.dims());
  v.constant = std::move(tensor);
}

NodeId Graph::add_node(Node node, NodeId before) {
  const auto id = static_cast<NodeId>(node_slots_.size());
  const std::string wanted = node.name;
  node.name = unique_node_name(wanted.empty() ? node.op_type : wanted);
  if (wanted.empty()) node.name_made_up = true;
  for (ValueId input : node.inputs)
    if (input != kNoValue) value(input).consumers.push_back(id);
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    assert(value(output).producer == kNoNode);
    value(output).producer = id;
  }
  node_names_.insert(node.name, id);
  node_slots_.emplace_back(std::move(node));
  const auto where = before == kNoNode ? order_.end() : std::find(order_.begin(), order_.end(), before);
  order_.insert(where, id);
  return id;
}

void Graph::drop_consumer(ValueId id, NodeId node) {
  if (id == kNoValue) return;
  std::vector<NodeId>& consumers = value(id).consumers;
  const auto found = std::find(consumers.begin(), consumers.end(), node);
  assert(found != consumers.end());
  consumers.erase(found);
}

void Graph::set_input(NodeId id, std::size_t slot, ValueId new_value) {
  Node& n = node(id);
  if (slot >= n.inputs.size()) n.inputs.resize(slot + 1, kNoValue);
  drop_consumer(n.inputs[slot], id);
  n.inputs[slot] = new_value;
  if (new_value != kNoValue) value(new_value).consumers.push_back(id);
}

void Graph::replace_uses(ValueId from, ValueId to, bool outputs_too) {
  const std::vector<NodeId> consumers = value(from).consumers;
  for (NodeId consumer : std::set<NodeId>(consumers.begin(), consumers.end()))
    for (std::size_t slot = 0; slot < node(consumer).inputs.size(); ++slot)
      if (node(consumer).inputs[slot] == from) set_input(consumer, slot, to);
  if (outputs_too) std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::set_output(NodeId id, std::size_t slot, ValueId new_value) {
  Node& n = node(id);
  if (slot >= n.outputs.size()) n.outputs.resize(slot + 1, kNoValue);
  if (n.outputs[slot] != kNoValue) value(n.outputs[slot]).producer = kNoNode;
  n.outputs[slot] = new_value;
  if (new_value == kNoValue) return;
  assert(value(new_value).producer == kNoNode);
  value(new_value).producer = id;
}

void Graph::erase_node(NodeId id) {
  const Node node = std::move(*node_slots_[static_cast<std::size_t>(id)]);
  for (ValueId input : node.inputs) drop_consumer(input, id);
  node_slots_[static_cast<std::size_t>(id)].reset();
  node_names_.erase(node.name, id);
  order_.erase(std::find(order_.begin(), order_.end(), id));
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    value(output).producer = kNoNode;
    if (value(output).consumers.empty() && !is_output(output)) erase_value(output);
  }
}

void Graph::erase_value(ValueId id) {
  const Value& v = value(id);
  assert(v.producer == kNoNode && v.consumers.empty() && !is_input(id) && !is_output(id));
  value_names_.erase(v.name, id);
  value_slots_[static_cast<std::size_t>(id)].reset();
}

void Graph::rename(ValueId id, const std::string& new_name) {
  Value& v = value(id);
  if (v.name == new_name) return;
  assert(find_value(new_name) == kNoValue);
  value_names_.erase(v.name, id);
  v.name = new_name;
  value_names_.insert(new_name, id);
}

void Graph::rename_node(NodeId id, const std::string& new_name) {
  Node& n = node(id);
  node_names_.erase(n.name, id);
  n.name = new_name;
  node_names_.insert(new_name, id);
}

std::vector<NodeId> Graph::dependencies(NodeId id) const {
  std::vector<NodeId> found;
  for (ValueId input : node(id).inputs)
    if (input != kNoValue && value(input).producer != kNoNode) found.push_back(value(input).producer);
  for (const std::string& captured : captures(node(id))) {
    const ValueId outer = find_value(captured);
    if (outer != kNoValue && value(outer).producer != kNoNode) found.push_back(value(outer).producer);
  }
  return found;
}

void Graph::sort() {
  std::vector<std::size_t> position(node_slots_.size());  // these by node
  std::vector<int> waiting(node_slots_.size());
  std::vector<std::vector<NodeId>> dependents(node_slots_.size());
  const auto at = [](NodeId id) { return static_cast<std::size_t>(id); };
  for (std::size_t i = 0; i < order_.size(); ++i) position[at(order_[i])] = i;
  using Entry = std::pair<std::size_t, NodeId>;  // earliest in the present order first: the sort is stable
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  for (NodeId id : order_) {
    const std::vector<NodeId> needs = dependencies(id);
    waiting[at(id)] = static_cast<int>(needs.size());
    for (NodeId need : needs) dependents[at(need)].push_back(id);
    if (needs.empty()) ready.emplace(position[at(id)], id);
  }
  std::vector<NodeId> sorted;
  while (!ready.empty()) {
    const NodeId id = ready.top().second;
    ready.pop();
    sorted.push_back(id);
    for (NodeId dependent : dependents[at(id)])
      if (--waiting[at(dependent)] == 0) ready.emplace(position[at(dependent)], dependent);
  }
  if (sorted.size() != order_.size()) {
    const auto stuck = std::find_if(order_.begin(), order_.end(), [&](NodeId id) { return waiting[at(id)] > 0; });
    throw Error(ErrorCode::kBadInput, node(*stuck).name, "the graph has a cycle through this node", "an acyclic graph");
  }
  order_ = std::move(sorted);
}

std::vector<std::string> Graph::captured_names() const {
  std::set<std::string> names;
  for (NodeId id : order_)
    for (const std::string& name : captures(node(id))) names.insert(name);
  return {names.begin(), names.end()};
}

int Graph::erase_dead() {
  std::vector<bool> alive(value_slots_.size());
  const auto keep = [&](ValueId id) {
    if (id != kNoValue) alive[static_cast<std::size_t>(id)] = true;
  };
  const auto is_alive = [&](ValueId id) { return id != kNoValue && alive[static_cast<std::size_t>(id)]; };
  for (ValueId id : outputs) keep(id);
  std::vector<NodeId> dead;
  for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
    const Node& n = node(*it);
    if (std::none_of(n.outputs.begin(), n.outputs.end(), is_alive)) {
      dead.push_back(*it);
      continue;
    }
    for (ValueId id : n.inputs) keep(id);
    for (const std::string& captured : captures(n)) keep(find_value(captured));
  }
  for (NodeId id : dead) erase_node(id);
  for (ValueId id : values()) {
    const Value& v = value(id);
    if (v.producer == kNoNode && v.consumers.empty() && !is_alive(id) && !is_input(id)) erase_value(id);
  }
  return static_cast<int>(dead.size());
}

std::string Graph::unique_value_name(const std::string& base) const {
  return unique_name([this](const std::string& name) { return find_value(name) != kNoValue; }, base, "value");
}
std::string Graph::unique_node_name(const std::string& base) const {
  return unique_name([this](const std::string& name) { return find_node(name) != kNoNode; }, base, "node");
}

}  // namespace pare::ir
