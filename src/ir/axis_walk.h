// The walk under channel groups (groups.h): elements of axes that only go together are joined, node by node, by the
// relations that operators declare (op.h); and where something keeps an axis as it is, why.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "ir/axis_elements.h"
#include "ir/groups.h"
#include "ir/op.h"

namespace pare::ir {

class AxisWalk {
 public:
  /// `facts`: of facts_for_walk(). `positions`: AxesContext::position of nodes, 0 for those that are not named. All are
  /// kept by reference.
  AxisWalk(const Model& model, const std::vector<ValueFacts>& facts, const std::map<NodeId, int>& positions,
           const GroupOptions& options);

  Elements& elements() noexcept { return elements_; }
  /// The first reason for each axis that has to stay.
  const std::map<Axis, std::string>& blocked() const noexcept { return blocked_; }
  /// Whether the node sums over an axis of a constant.
  bool contracts(NodeId id) const { return contracting_.count(id) > 0; }
  /// What the node relates at the position that it is given, `further` positions on.
  std::vector<AxisRelation> relations_of(NodeId id, int further = 0) const;

 private:
  struct Related {
    Axis axis;
    AxisRelation relation;
  };

  const ValueFacts& fact(ValueId id) const { return facts_.at(static_cast<std::size_t>(id)); }
  std::vector<ValueFacts> facts_of(const std::vector<ValueId>& ids) const;
  void block(Axis axis, const std::string& why) { blocked_.try_emplace(axis, why); }
  void block_all(ValueId value, const std::string& why);
  void block_ends();
  void block_unrelated(const Node& node, const std::set<std::tuple<bool, std::size_t, std::int64_t>>& related);
  void block_computed_sizes(const Node& node);
  void visit(NodeId id);
  void relate(const Node& node, const std::vector<Related>& label);
  void join_same(const Node& node, const std::vector<Related>& label);
  void join_parts(const Node& node, const std::vector<Related>& label);
  void join_sizes(ValueId like, ValueId y);

  const Model& model_;
  const Graph& graph_;
  const std::vector<ValueFacts>& facts_;
  const std::map<NodeId, int>& positions_;
  const GroupOptions& options_;
  Elements elements_;
  std::map<Axis, std::string> blocked_;
  std::set<NodeId> contracting_;
};

}  // namespace pare::ir
