#include "ir/groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "ir/axis_elements.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "ir/sparsity.h"
#include "pare/error.h"

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

struct Related {
  Axis axis;
  AxisRelation relation;
};

class Walk {
 public:
  /// `positions`: AxesContext::position of nodes, 0 for those that are not named. All three are kept by reference.
  Walk(const Model& model, const std::vector<ValueFacts>& facts, const std::map<NodeId, int>& positions,
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

  std::vector<ChannelGroup> groups();
  /// Nodes that blocked groups pass and that could relate another axis of theirs.
  std::vector<NodeId> undecided(const std::vector<ChannelGroup>& groups) const;

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

  void visit(NodeId id);
  std::vector<AxisRelation> relations_of(const Node& node, int position) const;
  std::set<std::int64_t> read_sizes(const Node& shape) const;
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
  const std::vector<ValueFacts>& facts_;
  const std::map<NodeId, int>& positions_;
  const GroupOptions& options_;
  Elements elements_;
  std::map<Axis, std::string> blocked_;
  std::set<NodeId> contracting_;  ///< nodes that sum over an axis of a constant
};

std::vector<ValueFacts> Walk::facts_of(const std::vector<ValueId>& ids) const {
  std::vector<ValueFacts> out;
  for (ValueId id : ids) out.push_back(id == kNoValue ? ValueFacts{} : fact(id));
  return out;
}

std::vector<AxisRelation> Walk::relations_of(const Node& node, int position) const {
  const Operator* op = find_operator(node, model_.opset(node.domain));
  if (!op || !op->axes) return {};
  const std::vector<ValueFacts> inputs = facts_of(node.inputs), outputs = facts_of(node.outputs);
  std::vector<AxisRelation> relations = op->axes({node, inputs, outputs, position});
  if (options_.through_norms) relate_normalized(node, inputs[0].shape, relations);
  return relations;
}

/// The axes whose sizes somebody reads from a Shape node: all, or those that its readers pick.
std::set<std::int64_t> Walk::read_sizes(const Node& shape) const {
  std::set<std::int64_t> all, read;
  const std::int64_t rank = fact(shape.input(0)).shape.rank();
  for (std::int64_t axis = 0; axis < rank; ++axis) all.insert(axis);
  if (shape.int_or("start", 0) != 0 || shape.find("end") || graph_.is_output(shape.output(0))) return all;
  for (NodeId id : graph_.value(shape.output(0)).consumers) {
    const Node& reader = graph_.node(id);
    const Tensor* from = graph_.constant(reader.input(1));
    const Tensor* to = reader.is("Slice") ? graph_.constant(reader.input(2)) : nullptr;
    if (reader.input(0) != shape.output(0) || !from || from->dtype() != DType::kInt64) return all;
    const auto place = [&](std::int64_t i) { return i < 0 ? i + rank : i; };
    if (reader.is("Gather")) {
      for (std::int64_t i : from->data<std::int64_t>()) read.insert(place(i));
    } else if (to && to->dtype() == DType::kInt64 && from->numel() == 1 && reader.input(4) == kNoValue) {
      const std::int64_t end = std::min(place(to->data<std::int64_t>()[0]), rank);
      for (std::int64_t i = place(from->data<std::int64_t>()[0]); i < end; ++i) read.insert(i);
    } else {
      return all;
    }
  }
  return read;
}

void Walk::visit(NodeId id) {
  const Node& node = graph_.node(id);
  const Operator* op = find_operator(node, model_.opset(node.domain));
  const auto position = positions_.find(id);
  const std::vector<AxisRelation> relations = relations_of(node, position == positions_.end() ? 0 : position->second);
  std::map<int, std::vector<Related>> labels;
  std::set<std::tuple<bool, std::size_t, std::int64_t>> related;
  for (const AxisRelation& relation : relations) {
    const bool in = relation.side == AxisRelation::Side::kInput;
    const ValueId value = in ? node.input(relation.slot) : node.output(relation.slot);
    if (value == kNoValue || relation.kind == AxisRelation::Kind::kFree) continue;
    labels[relation.label].push_back({{value, relation.axis}, relation});
    related.insert({in, relation.slot, relation.axis});
    if (in && relation.kind == AxisRelation::Kind::kContracted && graph_.constant(value)) contracting_.insert(id);
  }
  for (const auto& [label, axes] : labels) relate(node, axes);
  const bool sizes_only = node.is("Shape") && fact(node.input(0)).shape.ranked();
  const std::set<std::int64_t> sizes = sizes_only ? read_sizes(node) : std::set<std::int64_t>();
  const std::string how = op ? " works along axis " : " is not known; it has axis ";
  for (const bool in : {true, false}) {
    const std::vector<ValueId>& slots = in ? node.inputs : node.outputs;
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      if (slots[slot] == kNoValue || !fact(slots[slot]).shape.ranked()) continue;
      const ValueFacts& known = fact(slots[slot]);
      for (std::int64_t axis = 0; axis < known.shape.rank(); ++axis)
        if (!related.count({in, slot, axis}) && known.shape[axis] != Dim(1) && !(sizes_only && !sizes.count(axis)))
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

/// A size that is a constant is written anew when channels go, alone or as a part of a Concat; one that is left open
/// (−1, 0) follows by itself; another number inside a computed shape can be neither.
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
                       (node.is("Expand") && (*elements)[at].value() == 1) || written_part(graph_, sizes, axis));
    if (!open && elements_.size({y, axis}) > 1) block({y, axis}, why);
  }
}

std::vector<Walk::Seed> Walk::seeds() const {
  std::vector<Seed> seeds;
  for (NodeId id : graph_.nodes()) {
    const Node& node = graph_.node(id);
    if ((node.is("LSTM") || node.is("GRU") || node.is("RNN")) && graph_.constant(node.input(2)) &&
        node.output(0) != kNoValue)
      seeds.push_back({id, node.input(2), 1});  // the hidden units, by the rows of the recurrent weights
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

std::vector<NodeId> Walk::undecided(const std::vector<ChannelGroup>& groups) const {
  std::set<Axis> stuck;
  for (const ChannelGroup& group : groups)
    for (const GroupAxis& axis : group.axes)
      if (!group.blocked.empty()) stuck.insert({axis.value, axis.axis});
  std::vector<NodeId> out;
  for (NodeId id : graph_.nodes()) {
    const Node& node = graph_.node(id);
    if (!node.is("Reshape") && !node.is("Flatten")) continue;
    const auto position = positions_.find(id);
    const int now = position == positions_.end() ? 0 : position->second;
    const auto relations = relations_of(node, now), others = relations_of(node, now + 1);
    const auto changes = [&](const std::vector<AxisRelation>& some, const std::vector<AxisRelation>& rest) {
      return std::any_of(some.begin(), some.end(), [&](const AxisRelation& one) {
        const ValueId value = one.side == AxisRelation::Side::kInput ? node.input(0) : node.output(0);
        return stuck.count({value, one.axis}) > 0 && std::none_of(rest.begin(), rest.end(), [&](const auto& other) {
                 return std::tie(other.side, other.axis, other.block, other.repeat) ==
                        std::tie(one.side, one.axis, one.block, one.repeat);
               });
      });
    };
    if (changes(relations, others) || changes(others, relations)) out.push_back(id);
  }
  return out;
}

std::int64_t removable(const std::vector<ChannelGroup>& groups) {
  std::int64_t channels = 0;
  for (const ChannelGroup& group : groups) channels += group.blocked.empty() ? group.units * group.block : 0;
  return channels;
}

}  // namespace

std::int64_t channels_of(const ChannelGroup& group, const std::vector<std::int64_t>& removed) {
  for (const GroupAxis& axis : group.axes)
    if (axis.value == group.weights[0] && axis.axis == group.output_axes[0])
      return std::count_if(axis.unit.begin(), axis.unit.end(), [&](std::int32_t unit) {
        return unit >= 0 && !std::binary_search(removed.begin(), removed.end(), std::int64_t{unit});
      });
  return 0;
}

/// Where axes merge or split, the leading one is tried first; where that leaves a group blocked, the next ones are, as
/// long as more channels become free.
std::vector<ChannelGroup> channel_groups(const Model& model, const GroupOptions& options) {
  constexpr int kTries = 3;
  const std::vector<ValueFacts> facts = facts_for_walk(model);
  std::map<NodeId, int> positions;
  std::vector<ChannelGroup> best;
  std::vector<NodeId> undecided;
  const auto look = [&](const std::map<NodeId, int>& trial) {
    Walk walk(model, facts, trial, options);
    std::vector<ChannelGroup> groups = walk.groups();
    if (!best.empty() && removable(groups) <= removable(best)) return false;
    undecided = walk.undecided(groups);
    best = std::move(groups);
    return true;
  };
  look(positions);
  const auto rank = [&](ValueId value) { return facts[static_cast<std::size_t>(value)].shape.rank(); };
  for (int tries = 0; tries < kTries && !undecided.empty(); ++tries) {
    // Where a shuffle splits an axis and merges it again, only the split takes another axis.
    bool better = false;
    for (const bool splits : {true, false}) {
      std::map<NodeId, int> trial = positions;
      for (NodeId id : undecided) {
        const Node& node = model.graph.node(id);
        if ((rank(node.output(0)) > rank(node.input(0))) == splits) ++trial[id];
      }
      if (!look(trial)) continue;
      positions = std::move(trial);
      better = true;
      break;
    }
    if (!better) break;
  }
  return best;
}

}  // namespace pare::ir
