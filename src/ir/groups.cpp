#include "ir/groups.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "ir/axis_walk.h"
#include "ir/sparsity.h"

namespace pare::ir {
namespace {

/// A layer whose output channels groups are made of.
struct Seed {
  NodeId node;
  ValueId weight;
  int output_axis;
  Axis axis() const { return {weight, output_axis}; }
};

using Units = std::map<std::int64_t, std::pair<std::size_t, std::int32_t>>;  ///< by root: group and unit

std::vector<Seed> seeds_of(const Graph& graph, const AxisWalk& walk) {
  std::vector<Seed> seeds;
  for (NodeId id : graph.nodes()) {
    const auto weight = layer_weight(graph, id);
    if (!weight) continue;
    const Node& node = graph.node(id);
    const bool recurrent = node.input(2) == weight->value;
    if (recurrent ? node.output(0) != kNoValue : walk.contracts(id) && node.input(1) == weight->value)
      seeds.push_back({id, weight->value, weight->output_axis});
  }
  return seeds;
}

/// The axes that hold an element of a seed's output channels, by root.
std::map<std::int64_t, std::vector<Axis>> touched_axes(Elements& elements, const std::vector<Seed>& seeds) {
  std::map<std::int64_t, std::vector<Axis>> touched;
  for (const Seed& seed : seeds)
    for (std::int64_t i = 0; i < elements.size(seed.axis()); ++i)
      touched[elements.root(elements.at(seed.axis(), i))];
  for (const auto& [axis, place] : elements.axes())
    for (std::int64_t i = 0; i < place.second; ++i) {
      const auto found = touched.find(elements.root(place.first + i));
      if (found != touched.end() && (found->second.empty() || found->second.back() != axis))
        found->second.push_back(axis);
    }
  return touched;
}

GroupAxis axis_of(Elements& elements, const Axis& axis, std::size_t group, const Units& units) {
  GroupAxis out{axis.first, axis.second, {}};
  for (std::int64_t i = 0; i < elements.size(axis); ++i) {
    const auto unit = units.find(elements.root(elements.at(axis, i)));
    out.unit.push_back(unit != units.end() && unit->second.first == group ? unit->second.second : -1);
  }
  return out;
}

void finish(const Graph& graph, const AxisWalk& walk, ChannelGroup& group) {
  for (const GroupAxis& touches : group.axes) {
    if (touches.value == group.weights[0] && touches.axis == group.output_axes[0])
      group.block = std::count(touches.unit.begin(), touches.unit.end(), 0);
    const auto why = walk.blocked().find({touches.value, touches.axis});
    if (why != walk.blocked().end() && group.blocked.empty()) group.blocked = why->second;
    const Tensor* constant = graph.constant(touches.value);
    if (constant && bits(constant->dtype()) < 8 && group.blocked.empty())
      group.blocked = "'" + graph.value(touches.value).name + "' has elements of less than a byte";
  }
  if (group.blocked.empty() && group.units < 2) group.blocked = "all its channels are coupled with one another";
}

std::vector<ChannelGroup> groups_of(const Graph& graph, AxisWalk& walk) {
  Elements& elements = walk.elements();
  const std::vector<Seed> seeds = seeds_of(graph, walk);
  const auto touched = touched_axes(elements, seeds);
  std::vector<ChannelGroup> groups;
  std::map<std::vector<Axis>, std::size_t> by_axes;
  Units units;
  for (const Seed& seed : seeds) {
    std::set<std::size_t> mine;
    for (std::int64_t i = 0; i < elements.size(seed.axis()); ++i) {
      const std::int64_t root = elements.root(elements.at(seed.axis(), i));
      const auto [found, fresh] = by_axes.try_emplace(touched.at(root), groups.size());
      if (fresh) groups.push_back({.name = graph.node(seed.node).name});
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
    for (const Axis& axis : axes) groups[g].axes.push_back(axis_of(elements, axis, g, units));
  for (ChannelGroup& group : groups) finish(graph, walk, group);
  return groups;
}

bool same(const AxisRelation& a, const AxisRelation& b) {
  return std::tie(a.side, a.axis, a.block, a.repeat) == std::tie(b.side, b.axis, b.block, b.repeat);
}

/// A Reshape or Flatten that relates other axes at its next position.
struct Choice {
  NodeId node;
  std::vector<AxisRelation> now, next;
};

std::vector<Choice> choices_of(const Graph& graph, const AxisWalk& walk) {
  std::vector<Choice> out;
  for (NodeId id : graph.nodes()) {
    if (!graph.node(id).is("Reshape") && !graph.node(id).is("Flatten")) continue;
    Choice choice{id, walk.relations_of(id), walk.relations_of(id, 1)};
    if (!std::equal(choice.now.begin(), choice.now.end(), choice.next.begin(), choice.next.end(), same))
      out.push_back(std::move(choice));
  }
  return out;
}

/// Whether `some` relates one of the axes and `rest` does not, or not in the same way.
bool changes(const Node& node, const std::set<Axis>& axes, const std::vector<AxisRelation>& some,
             const std::vector<AxisRelation>& rest, bool ways) {
  return std::any_of(some.begin(), some.end(), [&](const AxisRelation& one) {
    const ValueId value = one.side == AxisRelation::Side::kInput ? node.input(0) : node.output(0);
    return axes.count({value, one.axis}) > 0 && std::none_of(rest.begin(), rest.end(), [&](const AxisRelation& other) {
             return ways ? same(other, one) : other.side == one.side && other.axis == one.axis;
           });
  });
}

std::set<Axis> axes_of(const ChannelGroup& group) {
  std::set<Axis> axes;
  for (const GroupAxis& axis : group.axes) axes.insert({axis.value, axis.axis});
  return axes;
}

/// Where blocked groups pass a choice.
std::set<NodeId> passed(const Graph& graph, const std::vector<Choice>& choices,
                        const std::vector<ChannelGroup>& groups) {
  std::set<NodeId> found;
  for (const ChannelGroup& group : groups) {
    if (group.blocked.empty()) continue;
    const std::set<Axis> axes = axes_of(group);
    for (const Choice& one : choices)
      if (changes(graph.node(one.node), axes, one.next, one.now, true) ||
          changes(graph.node(one.node), axes, one.now, one.next, true))
        found.insert(one.node);
  }
  return found;
}

/// Those of `nodes` that none of the others comes before.
std::vector<NodeId> foremost(const Graph& graph, const std::set<NodeId>& nodes) {
  std::set<NodeId> behind;
  std::vector<NodeId> out;
  for (NodeId id : graph.nodes()) {
    const std::vector<ValueId>& inputs = graph.node(id).inputs;
    const bool follows = std::any_of(inputs.begin(), inputs.end(), [&](ValueId input) {
      const NodeId producer = input == kNoValue ? kNoNode : graph.producer(input);
      return producer != kNoNode && (behind.count(producer) > 0 || nodes.count(producer) > 0);
    });
    if (follows)
      behind.insert(id);
    else if (nodes.count(id))
      out.push_back(id);
  }
  return out;
}

/// The choices that stand in the way of a blocked group, the first on its way: they relate an axis of it at the next
/// position only or, where all of its channels are one, another part of it.
std::set<NodeId> culprits(const Graph& graph, const std::vector<Choice>& choices,
                          const std::vector<ChannelGroup>& groups, const std::set<NodeId>& moved) {
  std::set<NodeId> out;
  for (const ChannelGroup& group : groups) {
    if (group.blocked.empty()) continue;
    const std::set<Axis> axes = axes_of(group);
    std::set<NodeId> mine;
    for (const Choice& one : choices)
      if (!moved.count(one.node) && changes(graph.node(one.node), axes, one.next, one.now, group.units < 2))
        mine.insert(one.node);
    for (NodeId id : foremost(graph, mine)) out.insert(id);
  }
  return out;
}

std::int64_t removable(const std::vector<ChannelGroup>& groups) {
  std::int64_t channels = 0;
  for (const ChannelGroup& group : groups) channels += group.blocked.empty() ? group.units * group.block : 0;
  return channels;
}

/// Where axes merge or split, the leading one is tried first; where that leaves a group blocked, the next ones are, as
/// long as more channels become free: first at what stands in the way of a blocked group (of many alike, one group may
/// be freed after the other), then at all that such groups pass. Where a shuffle splits an axis and merges it again,
/// only the split takes another axis.
class Search {
 public:
  Search(const Model& model, const GroupOptions& options)
      : model_(model), options_(options), facts_(facts_for_walk(model)) {}

  std::vector<ChannelGroup> run() {
    look();
    while (!undecided_.empty() && (move(ahead_) || move(undecided(true)) || move(undecided(false)))) {
    }
    return std::move(best_);
  }

 private:
  static constexpr int kSteps = 8;

  /// Whether more channels are free than before. `culprits_` are those of this walk, whatever it gave, but for `moved`.
  bool look(const std::set<NodeId>& moved = {}) {
    AxisWalk walk(model_, facts_, positions_, options_);
    std::vector<ChannelGroup> groups = groups_of(model_.graph, walk);
    const std::vector<Choice> choices = choices_of(model_.graph, walk);
    culprits_ = culprits(model_.graph, choices, groups, moved);
    if (!best_.empty() && removable(groups) <= removable(best_)) return false;
    undecided_ = passed(model_.graph, choices, groups);
    std::set<NodeId> decided;  // others stand in the way behind them
    for (const auto& [id, position] : positions_) decided.insert(id);
    ahead_ = culprits(model_.graph, choices, groups, decided);
    best_ = std::move(groups);
    return true;
  }

  /// The undecided that split axes, or merge them.
  std::set<NodeId> undecided(bool splits) const {
    std::set<NodeId> out;
    for (NodeId id : undecided_)
      if (const Node& node = model_.graph.node(id); (rank(node.output(0)) > rank(node.input(0))) == splits)
        out.insert(id);
    return out;
  }

  /// One position on for `next`, then for those that stand in the way now: keys are merged with the batch to be
  /// transposed, and split again.
  bool move(std::set<NodeId> next) {
    const std::map<NodeId, int> before = positions_;
    std::set<NodeId> moved = next;
    for (int step = 0; step < kSteps && !next.empty(); ++step) {
      for (NodeId id : next) ++positions_[id];
      if (look(moved)) return true;
      next = culprits_;
      moved.insert(next.begin(), next.end());
    }
    positions_ = before;
    return false;
  }

  std::int64_t rank(ValueId value) const { return facts_[static_cast<std::size_t>(value)].shape.rank(); }

  const Model& model_;
  const GroupOptions& options_;
  const std::vector<ValueFacts> facts_;
  std::map<NodeId, int> positions_;
  std::vector<ChannelGroup> best_;
  std::set<NodeId> undecided_, ahead_;  ///< of the best walk: what blocked groups pass, and the culprits
  std::set<NodeId> culprits_;           ///< of the last one
};

}  // namespace

std::optional<LayerWeight> layer_weight(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const auto rank = [&](std::size_t slot) {
    const Tensor* constant = node.input(slot) == kNoValue ? nullptr : graph.constant(node.input(slot));
    return constant ? constant->rank() : 0;
  };
  if (node.is("LSTM") || node.is("GRU") || node.is("RNN"))
    return rank(2) == 3 ? std::optional(LayerWeight{node.input(2), 1}) : std::nullopt;
  if (node.is("ConvTranspose"))
    return rank(1) >= 3 && node.int_or("group", 1) == 1 ? std::optional(LayerWeight{node.input(1), 1}) : std::nullopt;
  const auto weight = find_weight(graph, id);
  return weight ? std::optional(LayerWeight{weight->value, weight->output_axis}) : std::nullopt;
}

std::int64_t channels_of(const ChannelGroup& group, const std::vector<std::int64_t>& removed) {
  for (const GroupAxis& axis : group.axes)
    if (axis.value == group.weights[0] && axis.axis == group.output_axes[0])
      return std::count_if(axis.unit.begin(), axis.unit.end(), [&](std::int32_t unit) {
        return unit >= 0 && !std::binary_search(removed.begin(), removed.end(), std::int64_t{unit});
      });
  return 0;
}

std::vector<ChannelGroup> channel_groups(const Model& model, const GroupOptions& options) {
  return Search(model, options).run();
}

}  // namespace pare::ir
