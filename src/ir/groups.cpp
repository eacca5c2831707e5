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
    const Node& node = graph.node(id);
    if ((node.is("LSTM") || node.is("GRU") || node.is("RNN")) && graph.constant(node.input(2)) &&
        node.output(0) != kNoValue)
      seeds.push_back({id, node.input(2), 1});  // the hidden units, by the rows of the recurrent weights
    const auto weight = find_weight(graph, id);
    if (weight && walk.contracts(id) && node.input(1) == weight->value)
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

/// Reshapes that blocked groups pass and that would relate another axis of theirs at the next position; with `culprits`
/// only those that relate an axis of theirs there and not now.
std::vector<NodeId> undecided(const Graph& graph, const AxisWalk& walk, const std::vector<ChannelGroup>& groups,
                              bool culprits) {
  std::set<Axis> stuck;
  for (const ChannelGroup& group : groups)
    for (const GroupAxis& axis : group.axes)
      if (!group.blocked.empty()) stuck.insert({axis.value, axis.axis});
  std::vector<NodeId> out;
  for (NodeId id : graph.nodes()) {
    const Node& node = graph.node(id);
    if (!node.is("Reshape") && !node.is("Flatten")) continue;
    const auto now = walk.relations_of(id), next = walk.relations_of(id, 1);
    const auto lacks = [&](const std::vector<AxisRelation>& some, const AxisRelation& one) {
      return std::none_of(some.begin(), some.end(), [&](const AxisRelation& other) {
        return culprits ? other.side == one.side && other.axis == one.axis : same(other, one);
      });
    };
    const auto changes = [&](const std::vector<AxisRelation>& some, const std::vector<AxisRelation>& rest) {
      return std::any_of(some.begin(), some.end(), [&](const AxisRelation& one) {
        const ValueId value = one.side == AxisRelation::Side::kInput ? node.input(0) : node.output(0);
        return stuck.count({value, one.axis}) > 0 && lacks(rest, one);
      });
    };
    if (changes(next, now) || (!culprits && changes(now, next))) out.push_back(id);
  }
  return out;
}

std::int64_t removable(const std::vector<ChannelGroup>& groups) {
  std::int64_t channels = 0;
  for (const ChannelGroup& group : groups) channels += group.blocked.empty() ? group.units * group.block : 0;
  return channels;
}

/// Where axes merge or split, the leading one is tried first; where that leaves a group blocked, the next ones are, as
/// long as more channels become free.
class Search {
 public:
  Search(const Model& model, const GroupOptions& options)
      : model_(model), options_(options), facts_(facts_for_walk(model)) {}

  std::vector<ChannelGroup> run() {
    look();
    for (int tries = 0; tries < kTries && !undecided_.empty(); ++tries)
      // Where a shuffle splits an axis and merges it again, only the split takes another axis.
      if (!move(true) && !move(false)) break;
    return std::move(best_);
  }

 private:
  static constexpr int kTries = 3, kSteps = 3;

  /// Whether more channels are free than before. `culprits_` are those of this walk, whatever it gave.
  bool look() {
    AxisWalk walk(model_, facts_, positions_, options_);
    std::vector<ChannelGroup> groups = groups_of(model_.graph, walk);
    culprits_ = undecided(model_.graph, walk, groups, true);
    if (!best_.empty() && removable(groups) <= removable(best_)) return false;
    undecided_ = undecided(model_.graph, walk, groups, false);
    best_ = std::move(groups);
    return true;
  }

  /// One position on for the undecided that split axes, or merge them; then for those that now stand in the way: keys are
  /// merged with the batch to be transposed, and split again.
  bool move(bool splits) {
    const std::map<NodeId, int> before = positions_;
    std::set<NodeId> moved;
    for (NodeId id : undecided_)
      if (const Node& node = model_.graph.node(id); (rank(node.output(0)) > rank(node.input(0))) == splits)
        moved.insert(id);
    std::set<NodeId> next = moved;
    for (int step = 0; step < kSteps && !next.empty(); ++step) {
      for (NodeId id : next) ++positions_[id];
      if (look()) return true;
      next.clear();
      for (NodeId id : culprits_)
        if (moved.insert(id).second) next.insert(id);
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
  std::vector<NodeId> undecided_;  ///< of the best walk
  std::vector<NodeId> culprits_;   ///< of the last one
};

}  // namespace

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
