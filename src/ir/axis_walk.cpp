#include "ir/axis_walk.h"

#include <algorithm>

#include "ir/read_sizes.h"

namespace pare::ir {
namespace {

/// The last axis of a normalization over it alone, beside its scale and bias.
void relate_normalized(const Node& node, const Shape& x, std::vector<AxisRelation>& relations) {
  if ((!node.is("LayerNormalization") && !node.is("RMSNormalization")) || !x.ranked() || x.rank() == 0) return;
  const std::int64_t last = x.rank() - 1, axis = node.int_or("axis", -1);
  if (axis != -1 && axis != last) return;
  using Side = AxisRelation::Side;
  const int label = static_cast<int>(last);
  relations.push_back({Side::kInput, 0, last, label});
  relations.push_back({Side::kOutput, 0, last, label});
  for (std::size_t slot = 1; slot < node.inputs.size(); ++slot) relations.push_back({Side::kInput, slot, 0, label});
}

}  // namespace

AxisWalk::AxisWalk(const Model& model, const std::vector<ValueFacts>& facts, const std::map<NodeId, int>& positions,
                   const GroupOptions& options)
    : model_(model), graph_(model.graph), facts_(facts), positions_(positions), options_(options) {
  for (ValueId id : graph_.values()) {
    const Shape& shape = fact(id).shape;
    for (std::int64_t axis = 0; shape.ranked() && axis < shape.rank(); ++axis)
      if (shape[axis].is_known() && shape[axis].value() > 0) elements_.add({id, axis}, shape[axis].value());
  }
  block_ends();
  for (NodeId id : graph_.nodes()) visit(id);
}

std::vector<ValueFacts> AxisWalk::facts_of(const std::vector<ValueId>& ids) const {
  std::vector<ValueFacts> out;
  for (ValueId id : ids) out.push_back(id == kNoValue ? ValueFacts{} : fact(id));
  return out;
}

void AxisWalk::block_all(ValueId value, const std::string& why) {
  for (std::int64_t axis = 0; fact(value).shape.ranked() && axis < fact(value).shape.rank(); ++axis)
    block({value, axis}, why);
}

/// What callers and subgraphs see keeps its shape.
void AxisWalk::block_ends() {
  for (ValueId id : graph_.inputs) block_all(id, "it reaches the input '" + graph_.value(id).name + "'");
  for (ValueId id : graph_.outputs) block_all(id, "it reaches the output '" + graph_.value(id).name + "'");
  for (const std::string& name : graph_.captured_names())
    if (const ValueId id = graph_.find_value(name); id != kNoValue) block_all(id, "a subgraph reads '" + name + "'");
}

std::vector<AxisRelation> AxisWalk::relations_of(NodeId id, int further) const {
  const Node& node = graph_.node(id);
  const Operator* op = find_operator(node, model_.opset(node.domain));
  if (!op || !op->axes) return {};
  const auto position = positions_.find(id);
  const std::vector<ValueFacts> inputs = facts_of(node.inputs), outputs = facts_of(node.outputs);
  std::vector<AxisRelation> relations =
      op->axes({node, inputs, outputs, (position == positions_.end() ? 0 : position->second) + further});
  if (options_.through_norms) relate_normalized(node, inputs[0].shape, relations);
  return relations;
}

void AxisWalk::visit(NodeId id) {
  const Node& node = graph_.node(id);
  std::map<int, std::vector<Related>> labels;
  std::set<std::tuple<bool, std::size_t, std::int64_t>> related;
  for (const AxisRelation& relation : relations_of(id)) {
    const bool in = relation.side == AxisRelation::Side::kInput;
    const ValueId value = in ? node.input(relation.slot) : node.output(relation.slot);
    if (value == kNoValue || relation.kind == AxisRelation::Kind::kFree) continue;
    labels[relation.label].push_back({{value, relation.axis}, relation});
    related.insert({in, relation.slot, relation.axis});
    if (in && relation.kind == AxisRelation::Kind::kContracted && graph_.constant(value)) contracting_.insert(id);
  }
  for (const auto& [label, axes] : labels) relate(node, axes);
  block_unrelated(node, related);
  block_computed_sizes(node);
}

void AxisWalk::block_unrelated(const Node& node, const std::set<std::tuple<bool, std::size_t, std::int64_t>>& related) {
  const bool known = find_operator(node, model_.opset(node.domain)) != nullptr;
  const bool sizes_only = node.is("Shape") && fact(node.input(0)).shape.ranked();
  const std::set<std::int64_t> sizes =
      sizes_only ? read_sizes(graph_, node, fact(node.input(0)).shape.rank()) : std::set<std::int64_t>();
  const std::string how = known ? " works along axis " : " is not known; it has axis ";
  for (const bool in : {true, false}) {
    const std::vector<ValueId>& slots = in ? node.inputs : node.outputs;
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (slots[slot] == kNoValue || !fact(slots[slot]).shape.ranked()) continue;
      const Shape& shape = fact(slots[slot]).shape;
      for (std::int64_t axis = 0; axis < shape.rank(); ++axis)
        if (!related.count({in, slot, axis}) && shape[axis] != Dim(1) && !(sizes_only && !sizes.count(axis)))
          block({slots[slot], axis},
                describe(node) + how + std::to_string(axis) + " of '" + graph_.value(slots[slot]).name + "'");
    }
  }
}

void AxisWalk::relate(const Node& node, const std::vector<Related>& label) {
  for (const Related& one : label) {
    if (elements_.size(one.axis) > 0) continue;
    for (const Related& other : label)
      block(other.axis, describe(node) + " relates it to an axis of '" + graph_.value(one.axis.first).name +
                            "' whose size is not known");
    return;
  }
  const AxisRelation::Kind kind = label[0].relation.kind;
  if (kind == AxisRelation::Kind::kConcatenated || kind == AxisRelation::Kind::kSplit)
    join_parts(node, label);
  else
    join_same(node, label);
}

void AxisWalk::join_same(const Node& node, const std::vector<Related>& label) {
  const AxisRelation& first = label[0].relation;
  const std::int64_t count = elements_.size(label[0].axis) / (first.block * first.repeat);
  for (const Related& one : label)
    if (elements_.size(one.axis) != count * one.relation.block * one.relation.repeat) {
      for (const Related& other : label) block(other.axis, describe(node) + " relates axes of different sizes");
      return;
    }
  for (const Related& one : label)
    for (std::int64_t element = 0; element < elements_.size(one.axis); ++element)
      elements_.join(elements_.at(one.axis, element),
                     elements_.at(label[0].axis, element / one.relation.block % count * first.block));
}

/// The one axis on the joint side is the others, one after the other.
void AxisWalk::join_parts(const Node& node, const std::vector<Related>& label) {
  const bool concatenated = label[0].relation.kind == AxisRelation::Kind::kConcatenated;
  const auto joint_side = concatenated ? AxisRelation::Side::kOutput : AxisRelation::Side::kInput;
  std::vector<Related> parts = label;
  const auto joint =
      std::find_if(parts.begin(), parts.end(), [&](const Related& one) { return one.relation.side == joint_side; });
  if (joint == parts.end()) return;
  const Axis whole = joint->axis;
  parts.erase(joint);
  std::sort(parts.begin(), parts.end(),
            [](const Related& a, const Related& b) { return a.relation.slot < b.relation.slot; });
  std::int64_t sum = 0;
  for (const Related& part : parts) sum += elements_.size(part.axis);
  if (sum != elements_.size(whole)) {
    for (const Related& one : label) block(one.axis, describe(node) + " has parts that do not make up the whole");
    return;
  }
  std::int64_t offset = 0;
  for (const Related& part : parts)
    for (std::int64_t element = 0; element < elements_.size(part.axis); ++element)
      elements_.join(elements_.at(part.axis, element), elements_.at(whole, offset++));
}

/// What takes another value's shape has its sizes: their axes go together.
void AxisWalk::join_sizes(ValueId like, ValueId y) {
  const Shape &from = fact(like).shape, &to = fact(y).shape;
  for (std::int64_t axis = 0; from.ranked() && to.ranked() && axis < std::min(from.rank(), to.rank()); ++axis)
    for (std::int64_t i = 0; elements_.size({like, axis}) == elements_.size({y, axis}) && i < elements_.size({y, axis});
         ++i)
      elements_.join(elements_.at({y, axis}, i), elements_.at({like, axis}, i));
}

/// A size that is a constant is written anew when channels go, alone or as a part of a Concat; one that is left open
/// (−1, 0) follows by itself; another number inside a computed shape can be neither.
void AxisWalk::block_computed_sizes(const Node& node) {
  const bool split = node.is("Split");
  if (!split && !node.is("Reshape") && !node.is("Expand")) return;
  const ValueId sizes = node.input(1);
  if (sizes == kNoValue || graph_.constant(sizes)) return;
  const std::string why = describe(node) + " takes sizes that are computed at run time";
  if (split) return block_all(node.input(0), why);
  if (const ValueId like = measured_whole(graph_, sizes); like != kNoValue) return join_sizes(like, node.output(0));
  const auto& elements = fact(sizes).elements;
  const ValueId y = node.output(0);
  for (std::int64_t axis = 0; fact(y).shape.ranked() && axis < fact(y).shape.rank(); ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    const bool open = elements && at < elements->size() &&
                      (!(*elements)[at].is_known() || (*elements)[at].value() <= 0 ||
                       (node.is("Expand") && (*elements)[at].value() == 1) || written_part(graph_, sizes, axis));
    if (!open && elements_.size({y, axis}) > 1) block({y, axis}, why);
  }
}

}  // namespace pare::ir
