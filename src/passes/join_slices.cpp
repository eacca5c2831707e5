#include "passes/join_slices.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ir/infer.h"

namespace pare::passes {
namespace {

struct Part {
  ir::NodeId node;
  std::int64_t axis, begin, end;
};

std::optional<std::vector<std::int64_t>> ints(const ir::Graph& graph, const ir::Node& node, const char* attribute,
                                              std::size_t slot) {
  if (node.find(attribute)) return node.ints_or(attribute, {});
  const Tensor* tensor = graph.constant(node.input(slot));
  if (!tensor) return std::nullopt;
  if (tensor->dtype() == DType::kInt64)
    return std::vector<std::int64_t>(tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end());
  if (tensor->dtype() == DType::kInt32)
    return std::vector<std::int64_t>(tensor->data<std::int32_t>().begin(), tensor->data<std::int32_t>().end());
  return std::nullopt;
}

std::optional<Part> part_of(const ir::Graph& graph, ir::NodeId id) {
  const ir::Node& node = graph.node(id);
  if (!node.is("Slice")) return std::nullopt;
  const ir::Shape& shape = graph.value(node.input(0)).shape;
  const auto starts = ints(graph, node, "starts", 1), ends = ints(graph, node, "ends", 2),
             axes = ints(graph, node, "axes", 3);
  const auto steps = node.input(4) == ir::kNoValue ? std::vector<std::int64_t>{1} : ints(graph, node, "steps", 4);
  if (!shape.ranked() || !starts || !ends || !axes || !steps || starts->size() != 1 || ends->size() != 1 ||
      axes->size() != 1 || *steps != std::vector<std::int64_t>{1})
    return std::nullopt;
  const std::int64_t axis = axes->at(0) < 0 ? axes->at(0) + shape.rank() : axes->at(0);
  if (axis < 0 || axis >= shape.rank() || !shape[axis].is_known()) return std::nullopt;
  const std::int64_t size = shape[axis].value();
  const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size); };
  return Part{id, axis, place(starts->at(0)), place(ends->at(0))};
}

/// Whether the parts, in order, cover the axis; empty ones do not count.
bool covers(const std::vector<Part>& parts, std::int64_t size) {
  std::int64_t at = 0;
  for (const Part& part : parts) {
    if (part.begin != at || part.end <= part.begin) return false;
    at = part.end;
  }
  return at == size && parts.size() > 1;
}

void join(ir::Model& model, const std::vector<Part>& parts) {
  ir::Graph& graph = model.graph;
  const ir::Node first = graph.node(parts[0].node);
  ir::Node split;
  split.op_type = "Split";
  split.name = graph.unique_node_name(first.name + "_split");
  split.name_made_up = first.name_made_up;
  split.inputs = {first.input(0)};
  split.set("axis", parts[0].axis);
  std::vector<std::int64_t> sizes;
  for (const Part& part : parts) sizes.push_back(part.end - part.begin);
  if (model.opset("") >= 13)
    split.inputs.push_back(graph.add_initializer(
        first.name + "_sizes", Tensor::from({static_cast<std::int64_t>(sizes.size())}, sizes)));
  else
    split.set("split", sizes);
  // In front of the earliest of them, where x exists already.
  ir::NodeId before = parts[0].node;
  for (ir::NodeId id : graph.nodes())
    if (std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.node == id; })) {
      before = id;
      break;
    }
  const ir::NodeId made = graph.add_node(std::move(split), before);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const ir::ValueId out = graph.node(parts[i].node).output(0);
    graph.set_output(parts[i].node, 0, ir::kNoValue);
    graph.set_output(made, i, out);
    graph.erase_node(parts[i].node);
  }
}

}  // namespace

int join_slices(ir::Model& model) {
  int made = 0;
  for (ir::ValueId id : model.graph.values()) {
    if (!model.graph.has_value(id)) continue;
    std::map<std::int64_t, std::vector<Part>> by_axis;
    const std::vector<ir::NodeId> readers = model.graph.value(id).consumers;
    for (ir::NodeId reader : std::set<ir::NodeId>(readers.begin(), readers.end()))
      if (const auto part = part_of(model.graph, reader); part && model.graph.node(reader).input(0) == id)
        by_axis[part->axis].push_back(*part);
    for (auto& [axis, parts] : by_axis) {
      std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.begin < b.begin; });
      if (!covers(parts, model.graph.value(id).shape[axis].value())) continue;
      join(model, parts);
      ++made;
      break;  // a value is split along one axis
    }
  }
  if (made > 0) {
    model.graph.erase_dead();
    ir::infer_shapes(model);
  }
  return made;
}

}  // namespace pare::passes
