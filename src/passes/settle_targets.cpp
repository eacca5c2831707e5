#include "passes/settle_targets.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "ir/infer.h"

namespace pare::passes {
namespace {

/// The constant that stands for the sizes of `y`; nullopt where more than one stays open.
std::optional<std::vector<std::int64_t>> settled(const ir::Shape& x, const ir::Shape& y, bool zero_copies) {
  if (!y.ranked()) return std::nullopt;
  std::vector<std::int64_t> target, open;
  for (std::int64_t axis = 0; axis < y.rank(); ++axis) {
    if (y[axis] == ir::Dim(0)) return std::nullopt;
    target.push_back(y[axis].is_known() ? y[axis].value() : -1);
    if (!y[axis].is_known()) open.push_back(axis);
  }
  for (std::size_t i = 0; open.size() > 1 && i < open.size();) {
    const std::int64_t axis = open[i];
    const bool copied = zero_copies && x.ranked() && axis < x.rank() && y[axis].is_symbol() && x[axis].same_as(y[axis]);
    if (!copied) {
      ++i;
      continue;
    }
    target[static_cast<std::size_t>(axis)] = 0;
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (open.size() > 1) return std::nullopt;
  return target;
}

}  // namespace

int settle_targets(ir::Model& model) {
  ir::Graph& graph = model.graph;
  int made = 0;
  for (const ir::NodeId id : std::vector<ir::NodeId>(graph.nodes())) {
    const ir::Node& node = graph.node(id);
    if (!node.is("Reshape") || graph.constant(node.input(1))) continue;
    const auto target = settled(graph.value(node.input(0)).shape, graph.value(node.output(0)).shape,
                                node.int_or("allowzero", 0) == 0);
    if (!target) continue;
    const auto size = static_cast<std::int64_t>(target->size());
    graph.set_input(id, 1, graph.add_initializer(graph.value(node.output(0)).name + "_target",
                                                 Tensor::from<std::int64_t>({size}, *target)));
    ++made;
  }
  if (made > 0) {
    graph.erase_dead();
    ir::infer_shapes(model);
  }
  return made;
}

}  // namespace pare::passes
