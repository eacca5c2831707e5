#include "onnx/node_order.h"

#include <functional>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>

#include "onnx/fail.h"

namespace pare::onnx {

namespace {

using Names = std::set<std::string_view>;

Names names_read(const NodeProto& node);

/// Names that a subgraph reads from the graphs around it.
Names free_names(const GraphProto& graph) {
  Names read, defined;
  for (const auto& input : graph.input()) defined.insert(input.name());
  for (const auto& tensor : graph.initializer()) defined.insert(tensor.name());
  for (const auto& node : graph.node()) {
    read.merge(names_read(node));
    defined.insert(node.output().begin(), node.output().end());
  }
  for (const auto& output : graph.output()) read.insert(output.name());
  for (const std::string_view name : defined) read.erase(name);
  return read;
}

Names names_read(const NodeProto& node) {
  Names names(node.input().begin(), node.input().end());
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) names.merge(free_names(attribute.g()));
    for (const auto& graph : attribute.graphs()) names.merge(free_names(graph));
  }
  names.erase("");
  return names;
}

bool has_subgraph(const NodeProto& node) {
  for (const auto& attribute : node.attribute())
    if (attribute.has_g() || attribute.graphs_size() > 0) return true;
  return false;
}

/// A node on a cycle: from any node that never became ready, going back along unready producers must come round.
int on_cycle(const std::vector<std::vector<int>>& needs, const std::vector<int>& waiting) {
  int at = 0;
  while (waiting[static_cast<std::size_t>(at)] == 0) ++at;
  std::set<int> seen;
  while (seen.insert(at).second) {
    for (const int need : needs[static_cast<std::size_t>(at)]) {
      if (waiting[static_cast<std::size_t>(need)] == 0) continue;
      at = need;
      break;
    }
  }
  return at;
}

std::vector<std::vector<int>> needs_of(const GraphProto& graph) {
  std::unordered_map<std::string_view, int> producer;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const auto& output : graph.node(i).output())
      if (!output.empty()) producer.emplace(output, i);  // so that an omitted input needs nothing
  std::vector<std::vector<int>> needs(static_cast<std::size_t>(graph.node_size()));
  const auto add = [&](int i, std::string_view name) {
    if (const auto found = producer.find(name); found != producer.end())
      needs[static_cast<std::size_t>(i)].push_back(found->second);
  };
  for (int i = 0; i < graph.node_size(); ++i) {
    if (has_subgraph(graph.node(i)))
      for (const std::string_view name : names_read(graph.node(i))) add(i, name);
    else
      for (const auto& name : graph.node(i).input()) add(i, name);
  }
  return needs;
}

}  // namespace

std::string describe(const NodeProto& node, int index) {
  const std::string who = node.name().empty() ? "#" + std::to_string(index) : in_quotes(node.name());
  return "node " + who + " (" + node.op_type() + ")";
}

std::vector<int> node_order(const GraphProto& graph, const std::string& file) {
  const std::vector<std::vector<int>> needs = needs_of(graph);
  std::vector<int> waiting(needs.size()), order;
  std::vector<std::vector<int>> dependents(needs.size());
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t i = 0; i < needs.size(); ++i) {
    waiting[i] = static_cast<int>(needs[i].size());
    for (const int need : needs[i]) dependents[static_cast<std::size_t>(need)].push_back(static_cast<int>(i));
    if (needs[i].empty()) ready.push(static_cast<int>(i));
  }
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const int dependent : dependents[static_cast<std::size_t>(order.back())])
      if (--waiting[static_cast<std::size_t>(dependent)] == 0) ready.push(dependent);
  }
  if (order.size() != needs.size()) {
    const int stuck = on_cycle(needs, waiting);
    fail(file + ": " + describe(graph.node(stuck), stuck), "lies on a cycle: it needs its own result");
  }
  return order;
}

}  // namespace pare::onnx
