#include "passes/rewrite.h"

#include <algorithm>

namespace pare::passes {

namespace {

/// A subgraph of some node reads the value by its name, so it must stay.
bool is_captured(const ir::Graph& graph, ir::ValueId value) {
  const std::vector<std::string> names = graph.captured_names();
  return std::find(names.begin(), names.end(), graph.value(value).name) != names.end();
}

}  // namespace

bool bypass(ir::Graph& graph, ir::NodeId node, std::size_t input_slot) {
  const ir::ValueId x = graph.node(node).input(input_slot), y = graph.node(node).output(0);
  if (is_captured(graph, y) || is_captured(graph, x)) return false;
  if (!graph.is_output(y)) {
    graph.replace_uses(y, x);
    graph.erase_node(node);
    return true;
  }
  const ir::NodeId producer = graph.producer(x);
  if (producer == ir::kNoNode || graph.is_output(x)) return false;
  const std::vector<ir::ValueId>& written = graph.node(producer).outputs;
  const auto slot = static_cast<std::size_t>(std::find(written.begin(), written.end(), x) - written.begin());
  graph.erase_node(node);
  graph.replace_uses(x, y);
  graph.set_output(producer, slot, y);
  graph.erase_value(x);
  return true;
}

bool can_absorb_next(const ir::Graph& graph, ir::NodeId first, ir::NodeId second) {
  const ir::ValueId between = graph.node(first).output(0), y = graph.node(second).output(0);
  const bool alive = graph.is_output(y) || !graph.value(y).consumers.empty();
  return alive && graph.sole_consumer(between) == second && !is_captured(graph, between);
}

void absorb_next(ir::Graph& graph, ir::NodeId first, ir::NodeId second) {
  const ir::ValueId between = graph.node(first).output(0), y = graph.node(second).output(0);
  graph.erase_node(second);  // y stays: can_absorb_next says that it is read
  graph.set_output(first, 0, y);
  graph.erase_value(between);
}

void replace_constant(ir::Graph& graph, ir::NodeId node, std::size_t slot, Tensor tensor, const std::string& name) {
  const ir::ValueId old = graph.node(node).input(slot);
  if (old != ir::kNoValue && graph.constant(old) && graph.sole_consumer(old) == node &&
      !is_captured(graph, old)) {
    graph.set_constant(old, std::move(tensor));
    return;
  }
  graph.set_input(node, slot, graph.add_initializer(name, std::move(tensor)));
}

std::optional<std::vector<std::int64_t>> constant_ints(const ir::Graph& graph, ir::ValueId value) {
  const Tensor* tensor = graph.constant(value);
  if (!tensor || (tensor->dtype() != DType::kInt64 && tensor->dtype() != DType::kInt32)) return std::nullopt;
  if (tensor->dtype() == DType::kInt64)
    return std::vector<std::int64_t>(tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end());
  return std::vector<std::int64_t>(tensor->data<std::int32_t>().begin(), tensor->data<std::int32_t>().end());
}

}  // namespace pare::passes
