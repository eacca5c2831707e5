#include "ir/subgraph.h"

#include <unistd.h>

#include <algorithm>
#include <set>

namespace pare::ir {
namespace {

/// Only in private copies: names of the captures, which are the node's last inputs.
constexpr const char* kLifted = "pare.captures";

const std::vector<std::string>* lifted(const Node& node) {
  const Attribute* attribute = node.find(kLifted);
  return attribute == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&attribute->value);
}

}  // namespace

bool has_subgraph(const Node& node) {
  bool found = false;
  for_each_subgraph(node, [&](const Graph&) { found = true; });
  return found;
}

std::vector<std::string> captures(const Node& node) {
  if (const std::vector<std::string>* names = lifted(node)) return *names;
  std::set<std::string> names;
  for_each_subgraph(node, [&](const Graph& graph) {
    for (ValueId id : graph.values())
      if (graph.value(id).captured) names.insert(graph.value(id).name);
    for (NodeId id : graph.nodes())
      for (const std::string& name : captures(graph.node(id)))
        if (graph.find_value(name) == kNoValue) names.insert(name);
  });
  return {names.begin(), names.end()};
}

namespace {

thread_local std::int64_t budget = 0;
thread_local SubgraphEngine* engine = nullptr;

}  // namespace

MemoryBudget::MemoryBudget(std::int64_t bytes) : before_(budget) {
  if (bytes > 0) budget = bytes;
}

MemoryBudget::~MemoryBudget() { budget = before_; }

std::int64_t MemoryBudget::bytes() {
  return budget > 0 ? budget : static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / 2;
}

SubgraphScope::SubgraphScope(SubgraphEngine* used) : before_(engine) { engine = used; }
SubgraphScope::~SubgraphScope() { engine = before_; }
SubgraphEngine* SubgraphScope::current() { return engine; }

bool captures_are_lifted(const Node& node) { return lifted(node) != nullptr; }

std::size_t own_inputs(const Node& node) {
  const std::vector<std::string>* names = lifted(node);
  return node.inputs.size() - (names == nullptr ? 0 : names->size());
}

void lift_captures(Graph& graph) {
  const std::vector<NodeId> order = graph.nodes();
  for (NodeId id : order) {
    if (!has_subgraph(graph.node(id)) || captures_are_lifted(graph.node(id))) continue;
    const std::vector<std::string> names = captures(graph.node(id));
    for (const std::string& name : names) graph.set_input(id, graph.node(id).inputs.size(), graph.find_value(name));
    graph.node(id).set(kLifted, names);
  }
}

}  // namespace pare::ir
