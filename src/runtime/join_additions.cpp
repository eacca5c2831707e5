#include "runtime/join_additions.h"

#include <algorithm>
#include <map>

namespace pare::runtime {

namespace {

bool is_product(const ir::Graph& graph, const Group& group) {
  const ir::Node& node = graph.node(group.main());
  return group.integer && group.quantize && group.follow.empty() &&
         (node.is("Conv") || node.is("Gemm") || node.is("MatMul"));
}

/// The Add that alone reads what the product's group writes; kNoNode: another operator, or several.
ir::NodeId addition_of(const ir::Graph& graph, const Group& product) {
  const ir::NodeId dequantize = graph.sole_consumer(product.output);
  if (dequantize == ir::kNoNode || !graph.node(dequantize).is("DequantizeLinear")) return ir::kNoNode;
  const ir::NodeId add = graph.sole_consumer(graph.node(dequantize).output(0));
  return add != ir::kNoNode && graph.node(add).is("Add") ? add : ir::kNoNode;
}

/// One element for each output of the product: a constant bias that was quantized.
bool is_bias(const ir::Graph& graph, const Group& product, ir::ValueId other) {
  const auto view = dequantized(graph, other);
  if (!view || !graph.constant(view->q)) return false;
  const ir::Node& node = graph.node(product.main());
  const auto dims = graph.value(other).shape.static_dims(), weight = graph.value(node.input(1)).shape.static_dims();
  if (!dims || !weight) return false;
  const bool conv = node.is("Conv"), by_rows = conv || (node.is("Gemm") && node.int_or("transB", 0) != 0);
  const std::int64_t outputs = (*weight)[by_rows ? 0 : 1];
  const std::size_t behind = conv ? 2 : 0;  // axes of size 1: those of pixels
  const Dims wanted = conv ? Dims{outputs, 1, 1} : Dims{outputs};
  Dims without_ones = *dims;
  while (without_ones.size() > behind + 1 && without_ones.front() == 1) without_ones.erase(without_ones.begin());
  return without_ones == wanted;
}

/// What the product's output is added to; kNoValue where that is neither of the sum's shape nor a bias.
ir::ValueId other_addend(const ir::Graph& graph, const Group& product, const ir::Node& add) {
  const ir::NodeId first = graph.producer(add.input(0));
  const bool mine = first != ir::kNoNode && graph.node(first).input(0) == product.output;
  const ir::ValueId other = add.input(mine ? 1 : 0), own = add.input(mine ? 0 : 1);
  const ir::Shape &shape = graph.value(other).shape, &sum = graph.value(add.output(0)).shape;
  if (other == own || !(graph.value(own).shape == sum)) return ir::kNoValue;
  const bool same = shape.is_static() && shape == sum;
  return same || is_bias(graph, product, other) ? other : ir::kNoValue;
}

Group joined(const Group& product, const Group& addition, ir::ValueId other) {
  Group both = product;
  both.nodes.insert(both.nodes.end(), addition.nodes.begin(), addition.nodes.end());
  both.follow.push_back({other, {}});
  both.follow.insert(both.follow.end(), addition.follow.begin(), addition.follow.end());
  both.output = addition.output;
  both.first = product.quantize;
  both.quantize = addition.quantize;
  both.parts = {product, addition};
  return both;
}

}  // namespace

void join_additions(const ir::Graph& graph, std::vector<Group>& groups) {
  std::map<ir::NodeId, std::size_t> by_main;
  for (std::size_t i = 0; i < groups.size(); ++i) by_main[groups[i].main()] = i;
  std::vector<std::size_t> gone;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (!is_product(graph, groups[i])) continue;
    const ir::NodeId add = addition_of(graph, groups[i]);
    const auto found = add == ir::kNoNode ? by_main.end() : by_main.find(add);
    if (found == by_main.end()) continue;
    const Group& addition = groups[found->second];
    const ir::ValueId other = other_addend(graph, groups[i], graph.node(add));
    if (!addition.integer || !addition.quantize || addition.first || other == ir::kNoValue) continue;
    groups[found->second] = joined(groups[i], addition, other);
    gone.push_back(i);
    by_main.erase(found);
  }
  std::sort(gone.begin(), gone.end());
  for (auto at = gone.rbegin(); at != gone.rend(); ++at) groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(*at));
}

}  // namespace pare::runtime
