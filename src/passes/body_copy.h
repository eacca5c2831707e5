// Copies the nodes of a graph (a function's body, a branch of If) into another, with names of their own.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ir/subgraph.h"

namespace pare::passes {

/// The value names of a graph and of all graphs in it: new names must differ from all, because subgraphs read the
/// values around them by name.
class Names {
 public:
  explicit Names(const ir::Graph& graph) { add(graph); }
  std::string fresh(const std::string& base);

 private:
  void add(const ir::Graph& graph);
  std::set<std::string> taken_;
  std::map<std::string, int> last_;
};

class BodyCopy {
 public:
  /// `prefix` starts the names of what is made. The body stays as it is.
  BodyCopy(ir::Graph& target, const ir::Graph& body, std::string prefix, Names& names)
      : target_(target), body_(body), prefix_(std::move(prefix)), names_(names) {}

  /// A value of the body is this value of the target (kNoValue: an omitted input).
  void bind(ir::ValueId of_body, ir::ValueId of_target) { values_[of_body] = of_target; }
  bool is_bound(ir::ValueId of_body) const { return values_.contains(of_body); }
  /// The target's value; made when there is none yet. A captured one is the target's of that name, else captured there.
  ir::ValueId value(ir::ValueId of_body);

  using EditAttributes = std::function<void(ir::Attributes&)>;
  /// Puts the body's nodes in the place of `call`, whose outputs the body's outputs become, subgraphs renamed to fit.
  /// `edit` sees the attributes of every node, those in subgraphs included. Bind the body's inputs first. Returns the
  /// new nodes.
  std::vector<ir::NodeId> splice(
      ir::NodeId call, const EditAttributes& edit = [](ir::Attributes&) {});

 private:
  std::vector<ir::NodeId> add_nodes(ir::NodeId before, const EditAttributes& edit);
  using Renamed = std::map<std::string, std::string>;  ///< names around a subgraph; "": omitted
  std::shared_ptr<ir::Graph> copy_subgraph(const ir::Graph& graph, const Renamed& outer, const EditAttributes& edit);
  void copy_subgraphs(ir::Attributes& attributes, const Renamed& outer, const EditAttributes& edit);

  ir::Graph& target_;
  const ir::Graph& body_;
  std::string prefix_;
  Names& names_;
  std::map<ir::ValueId, ir::ValueId> values_;
};

}  // namespace pare::passes
