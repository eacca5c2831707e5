#include "runtime/narrow.h"

#include <algorithm>
#include <map>

namespace pare::runtime {

namespace {

bool is_product(const ir::Graph& graph, const Group& group) {
  const ir::Node& node = graph.node(group.main());
  if (group.integer || !(node.is("Conv") || node.is("Gemm") || node.is("MatMul"))) return false;
  return graph.constant(node.input(1)) && graph.value(group.output).dtype == DType::kFloat32;
}

/// It picks numbers, and picks the same ones in bfloat16: rounding keeps their order.
bool is_pick(const ir::Graph& graph, const Group& group) {
  const ir::Node& node = graph.node(group.main());
  return node.is("MaxPool") && group.nodes.size() == 1 && node.output(1) == ir::kNoValue &&
         graph.value(group.output).dtype == DType::kFloat32;
}

}  // namespace

std::set<ir::ValueId> narrow_values(const ir::Graph& graph, const std::vector<Group>& groups) {
  std::map<ir::ValueId, std::size_t> served;  // how many of the value's readers take it in bfloat16
  std::set<ir::ValueId> products, narrow;     // what products write; what is held in bfloat16
  for (const Group& group : groups) {
    if (!is_product(graph, group)) continue;
    products.insert(group.output);
    ++served[graph.node(group.main()).input(0)];
    for (const Follow& follow : group.follow)
      if (follow.add != ir::kNoValue) ++served[follow.add];
  }
  const auto all_served = [&](ir::ValueId value) {
    const auto found = served.find(value);
    return !graph.is_output(value) && found != served.end() && found->second == graph.value(value).consumers.size();
  };
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {  // readers before what they read
    const ir::ValueId picked = is_pick(graph, *group) ? graph.node(group->main()).input(0) : ir::kNoValue;
    if (products.contains(group->output) ? !all_served(group->output)
                                         : !products.contains(picked) || !all_served(group->output))
      continue;
    narrow.insert(group->output);
    if (picked != ir::kNoValue) ++served[picked];
  }
  return narrow;
}

}  // namespace pare::runtime
