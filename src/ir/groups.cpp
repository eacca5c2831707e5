#include "ir/groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "ir/infer.h"
#include "ir/op.h"
#include "ir/sparsity.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

using Axis = std::pair<ValueId, std::int64_t>;

/// Union–find over the elements of every axis whose size is known.
class Elements {
 public:
  void add(Axis axis, std::int64_t size) {
    first_[axis] = {static_cast<std::int64_t>(parent_.size()), size};
    for (std::int64_t i = 0; i < size; ++i) parent_.push_back(static_cast<std::int64_t>(parent_.size()));
  }
  /// 0 when the size is not known.
  std::int64_t size(Axis axis) const {
    const auto found = first_.find(axis);
    return found == first_.end() ? 0 : found->second.second;
  }
  std::int64_t at(Axis axis, std::int64_t element) const { return first_.at(axis).first + element; }
  std::int64_t root(std::int64_t id) {
    while (parent_[index(id)] != id) id = parent_[index(id)] = parent_[index(parent_[index(id)])];
    return id;
  }
  void join(std::int64_t a, std::int64_t b) { parent_[index(root(a))] = root(b); }
  const std::map<Axis, std::pair<std::int64_t, std::int64_t>>& axes() const { return first_; }

 private:
  static std::size_t index(std::int64_t id) { return static_cast<std::size_t>(id); }
  std::vector<std::int64_t> parent_;
  std::map<Axis, std::pair<std::int64_t, std::int64_t>> first_;
};

struct Related {
  Axis axis;
  AxisRelation relation;
};

/// Some float value has a dimension of which not even a name is known.
bool has_unknown(const Model& model, const std::vector<ValueFacts>& facts) {
  for (ValueId id : model.graph.values()) {
    const ValueFacts& fact = facts[static_cast<std::size_t>(id)];
    if (!is_float(fact.dtype) || !fact.shape.ranked()) continue;
    for (const Dim& dim : fact.shape.dims())
      if (dim.is_unknown()) return true;
  }
  return false;
}

/// Shapes by symbols; where these get lost (exporters compute shapes in ways that only numbers survive), by a number
/// for each: primes, so that no two sizes are equal by chance.
std::vector<ValueFacts> facts_for_walk(const Model& model) {
  std::vector<ValueFacts> symbolic = infer_for(model, {});
  if (!has_unknown(model, symbolic)) return symbolic;
  static constexpr std::int64_t kPrimes[] = {3, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  std::map<std::string, std::int64_t> by_symbol;
  std::size_t used = 0;
  std::map<std::string, Dims> shapes;
  for (ValueId input : model.graph.inputs) {
    const Value& value = model.graph.value(input);
    if (!value.shape.ranked()) return symbolic;
    Dims dims;
    for (const Dim& dim : value.shape.dims()) {
      if (dim.is_known()) {
        dims.push_back(dim.value());
        continue;
      }
      if (used == std::size(kPrimes)) return symbolic;
      const auto [found, fresh] =
          by_symbol.try_emplace(dim.is_symbol() ? dim.name() : "?" + std::to_string(used), kPrimes[used]);
      used += fresh ? 1 : 0;
      dims.push_back(found->second);
    }
    shapes[value.name] = dims;
  }
  try {
    return infer_for(model, shapes);
  } catch (const Error&) {  // such sizes do not fit the model: images that are too small
    return symbolic;
  }
}

class Walk {
 public:
  explicit Walk(const Model& model) : model_(model), graph_(model.graph), facts_(facts_for_walk(model)) {
    for (ValueId id : graph_.values()) {
      const Shape& shape = fact(id).shape;
      for (std::int64_t axis = 0; shape.ranked() && axis < shape.rank(); ++axis)
        if (shape[axis].is_known() && shape[axis].value() > 0) elements_.add({id, axis}, shape[axis].value());
    }
    block_ends();
    for (NodeId id : graph_.nodes()) visit(graph_.node(id));
  }

  std::vector<ChannelGroup> groups();

 private:
  /// A layer whose output channels groups are made of.
  struct Seed {
    NodeId node;
    ValueId weight;
    int output_axis;
    Axis axis() const { return {weight, output_axis}; }
  };
  using Units = std::map<std::int64_t, std::pair<std::size_t, std::int32_t>>;  ///< by root: group and unit

  const ValueFacts& fact(ValueId id) const { return facts_.at(static_cast<std::size_t>(id)); }

  void block(Axis axis, const std::string& why) { blocked_.try_emplace(axis, why); }
  void block_all(ValueId value, const std::string& why) {
    for (std::int64_t axis = 0; fact(value).shape.ranked() && axis < fact(value).shape.rank(); ++axis)
      block({value, axis}, why);
  }

  /// What callers and subgraphs see keeps its shape.
  void block_ends() {
    for (ValueId id : graph_.inputs) block_all(id, "it reaches the input '" + graph_.value(id).name + "'");
    for (ValueId id : graph_.outputs) block_all(id, "it reaches the output '" + graph_.value(id).name + "'");
    for (const std::string& name : graph_.captured_names())
      if (const ValueId id = graph_.find_value(name); id != kNoValue) block_all(id, "a subgraph reads '" + name + "'");
  }

  void visit(const Node& node);
  void relate(const Node& node, const std::vector<Related>& label);
  void join_same(const Node& node, const std::vector<Related>& label);
  void join_parts(const Node& node, const std::vector<Related>& label);
  void block_computed_sizes(const Node& node);
  std::vector<ValueFacts> facts_of(const std::vector<ValueId>& ids) const;
  std::vector<Seed> seeds() const;
  std::map<std::int64_t, std::vector<Axis>> touched_axes(const std::vector<Seed>& seeds);
  GroupAxis axis_of(const Axis& axis, std::size_t group, const Units& units);
  void finish(ChannelGroup& group) const;

  const Model& model_;
  const Graph& graph_;
  std::vector<ValueFacts> facts_;
  Elements elements_;
  std::map<Axis, std::string> blocked_;
  std::set<NodeId> contracting_;  ///< nodes that sum over an axis of a constant
};

std::vector<ValueFacts> Walk::facts_of(const std::vector<ValueId>& ids) const {
  std::vector<ValueFacts> out;
  for (ValueId id : ids) out.push_back(id == kNoValue ? ValueFacts{} : fact(id));
  return out;
}

void Walk::visit(const Node& node) {
  const Operator* op = find_operator(node, model_.opset(node.domain));
  std::vector<AxisRelation> relations;
  const std::vector<ValueFacts> inputs = facts_of(node.inputs), outputs = facts_of(node.outputs);
  if (op && op->axes) relations = op->axes({node, inputs, outputs});
  std::map<int, std::vector<Related>> labels;
  std::set<std::tuple<bool, std::size_t, std::int64_t>> related;
  for (const AxisRelation& relation : relations) {
    const bool in = relation.side == AxisRelation::Side::kInput;
    const ValueId value = in ? node.input(relation.slot) : node.output(relation.slot);
    if (value == kNoValue || relation.kind == AxisRelation::Kind::kFree) continue;
    labels[relation.label].push_back({{value, relation.axis}, relation});
    related.insert({in, relation.slot, relation.axis});
    if (in && relation.kind == AxisRelation::Kind::kContracted && graph_.constant(value))
      contracting_.insert(graph_.producer(node.output(0)));
  }
  for (const auto& [label, axes] : labels) relate(node, axes);
  const std::string how = op ? " works along axis " : " is not known; it has axis ";
  for (const bool in : {true, false}) {
    const std::vector<ValueId>& slots = in ? node.inputs : node.outputs;
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (slots[slot] == kNoValue || !fact(slots[slot]).shape.ranked()) continue;
      const ValueFacts& known = fact(slots[slot]);
      for (std::int64_t axis = 0; axis < known.shape.rank(); ++axis)
        if (!related.count({in, slot, axis}) && known.shape[axis] != Dim(1))
          block({slots[slot], axis},
                describe(node) + how + std::to_string(axis) + " of '" + graph_.value(slots[slot]).name + "'");
    }
  }
  block_computed_sizes(node);
}

void Walk::relate(const Node& node, const std::vector<Related>& label) {
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

void Walk::join_same(const Node& node, const std::vector<Related>& label) {
  const std::int64_t count = elements_.size(label[0].axis) / label[0].relation.block;
  for (const Related& one : label)
    if (elements_.size(one.axis) != count * one.relation.block) {
      for (const Related& other : label) block(other.axis, describe(node) + " relates axes of different sizes");
      return;
    }
  for (const Related& one : label)
    for (std::int64_t element = 0; element < elements_.size(one.axis); ++element)
      elements_.join(elements_.at(one.axis, element),
                     elements_.at(label[0].axis, element / one.relation.block * label[0].relation.block));
}

/// The one axis on the joint side is the others, one after the other.
void Walk::join_parts(const Node& node, const std::vector<Related>& label) {
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

/// A size that is a constant is written anew when channels go; one that is left open (−1, 0) follows by itself; a
/// number inside a computed shape can be neither.
void Walk::block_computed_sizes(const Node& node) {
  const bool split = node.is("Split");
  if (!split && !node.is("Reshape") && !node.is("Expand")) return;
  const ValueId sizes = node.input(1);
  if (sizes == kNoValue || graph_.constant(sizes)) return;
  const std::string why = describe(node) + " takes sizes that are computed at run time";
  if (split) return block_all(node.input(0), why);
  const auto& elements = fact(sizes).elements;
  const ValueId y = node.output(0);
  for (std::int64_t axis = 0; fact(y).shape.ranked() && axis < fact(y).shape.rank(); ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    const bool open = elements && at < elements->size() &&
                      (!(*elements)[at].is_known() || (*elements)[at].value() <= 0 ||
                       (node.is("Expand") && (*elements)[at].value() == 1));
    if (!open && elements_.size({y, axis}) > 1) block({y, axis}, why);
  }
}

std::vector<Walk::Seed> Walk::seeds() const {
  std::vector<Seed> seeds;
  for (NodeId id : graph_.nodes()) {
    const auto weight = find_weight(graph_, id);
    if (weight && contracting_.count(id) && graph_.node(id).input(1) == weight->value)
      seeds.push_back({id, weight->value, weight->output_axis});
  }
  return seeds;
}

/// The axes that hold an element of a seed's output channels, by root.
std::map<std::int64_t, std::vector<Axis>> Walk::touched_axes(const std::vector<Seed>& seeds) {
  std::map<std::int64_t, std::vector<Axis>> touched;
  for (const Seed& seed : seeds)
    for (std::int64_t i = 0; i < elements_.size(seed.axis()); ++i)
      touched[elements_.root(elements_.at(seed.axis(), i))];
  for (const auto& [axis, place] : elements_.axes())
    for (std::int64_t i = 0; i < place.second; ++i) {
      const auto found = touched.find(elements_.root(place.first + i));
      if (found != touched.end() && (found->second.empty() || found->second.back() != axis))
        found->second.push_back(axis);
    }
  return touched;
}

GroupAxis Walk::axis_of(const Axis& axis, std::size_t group, const Units& units) {
  GroupAxis out{axis.first, axis.second, {}};
  for (std::int64_t i = 0; i < elements_.size(axis); ++i) {
    const auto unit = units.find(elements_.root(elements_.at(axis, i)));
    out.unit.push_back(unit != units.end() && unit->second.first == group ? unit->second.second : -1);
  }
  return out;
}

void Walk::finish(ChannelGroup& group) const {
  for (const GroupAxis& touches : group.axes) {
    if (touches.value == group.weights[0] && touches.axis == group.output_axes[0])
      group.block = std::count(touches.unit.begin(), touches.unit.end(), 0);
    const auto why = blocked_.find({touches.value, touches.axis});
    if (why != blocked_.end() && group.blocked.empty()) group.blocked = why->second;
    const Tensor* constant = graph_.constant(touches.value);
    if (constant && bits(constant->dtype()) < 8 && group.blocked.empty())
      group.blocked = "'" + graph_.value(touches.value).name + "' has elements of less than a byte";
  }
  if (group.blocked.empty() && group.units < 2) group.blocked = "all its channels are coupled with one another";
}

std::vector<ChannelGroup> Walk::groups() {
  const std::vector<Seed> all = seeds();
  const auto touched = touched_axes(all);
  std::vector<ChannelGroup> groups;
  std::map<std::vector<Axis>, std::size_t> by_axes;
  Units units;
  for (const Seed& seed : all) {
    std::set<std::size_t> mine;
    for (std::int64_t i = 0; i < elements_.size(seed.axis()); ++i) {
      const std::int64_t root = elements_.root(elements_.at(seed.axis(), i));
      const auto [found, fresh] = by_axes.try_emplace(touched.at(root), groups.size());
      if (fresh) groups.push_back({.name = graph_.node(seed.node).name});
      ChannelGroup& group = groups[found->second];
      if (units.try_emplace(root, found->second, static_cast<std::int32_t>(group.units)).second) ++group.units;
      mine.insert(found->second);
    }
    for (std::size_t g : mine) {
      groups[g].layers.push_back(seed.node);
      groups[g].weights.push_back(seed.weight);
      groups[g].output_axes.push_back(seed.output_axis);
    }
  }
  for (const auto& [axes, g] : by_axes)
    for (const Axis& axis : axes) groups[g].axes.push_back(axis_of(axis, g, units));
  for (ChannelGroup& group : groups) finish(group);
  return groups;
}

}  // namespace

std::vector<ChannelGroup> channel_groups(const Model& model) { return Walk(model).groups(); }

}  // namespace pare::ir
