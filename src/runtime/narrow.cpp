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

}  // namespace

std::set<ir::ValueId> narrow_values(const ir::Graph& graph, const std::vector<Group>& groups) {
  std::map<ir::ValueId, std::size_t> served;  // how many of the value's readers take it in bfloat16
  std::set<ir::ValueId> narrow;
  for (const Group& group : groups) {
    if (!is_product(graph, group)) continue;
    ++served[graph.node(group.main()).input(0)];
    for (const Follow& follow : group.follow)
      if (follow.add != ir::kNoValue) ++served[follow.add];
  }
  for (const Group& group : groups) {
    if (!is_product(graph, group) || graph.is_output(group.output)) continue;
    const auto found = served.find(group.output);
    if (found != served.end() && found->second == graph.value(group.output).consumers.size()) narrow.insert(group.output);
  }
  return narrow;
}

}  // namespace pare::runtime
