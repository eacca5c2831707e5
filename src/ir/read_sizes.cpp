#include "ir/read_sizes.h"

#include <algorithm>
#include <optional>

namespace pare::ir {
namespace {

/// [begin, end) of an axis of `size` elements from bounds as Slice and Shape have them: negative ones count from the
/// end, all are clamped. Exporters write "from the start" and "to the end" as the least and the largest int64.
struct Range {
  std::int64_t begin, end;
};
Range range_of(std::int64_t begin, std::int64_t end, std::int64_t size) {
  const auto place = [size](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size); };
  return {place(begin), place(end)};
}

std::optional<std::int64_t> lone_int(const Tensor* tensor) {
  if (!tensor || tensor->dtype() != DType::kInt64 || tensor->numel() != 1) return std::nullopt;
  return tensor->data<std::int64_t>()[0];
}

}  // namespace

ValueId measured_whole(const Graph& graph, ValueId sizes) {
  const NodeId producer = graph.producer(sizes);
  if (producer == kNoNode) return kNoValue;
  const Node& node = graph.node(producer);
  return node.is("Shape") && node.int_or("start", 0) == 0 && !node.find("end") ? node.input(0) : kNoValue;
}

std::set<std::int64_t> read_sizes(const Graph& graph, const Node& shape, std::int64_t rank) {
  const Range given = range_of(shape.int_or("start", 0), shape.int_or("end", rank), rank);
  std::set<std::int64_t> all, read;
  for (std::int64_t axis = given.begin; axis < given.end; ++axis) all.insert(axis);
  if (graph.is_output(shape.output(0))) return all;
  const auto count = static_cast<std::int64_t>(all.size());
  for (NodeId id : graph.value(shape.output(0)).consumers) {
    const Node& reader = graph.node(id);
    const Tensor* from = graph.constant(reader.input(1));
    if ((reader.is("Reshape") || reader.is("Expand")) && reader.input(0) != shape.output(0) &&
        measured_whole(graph, shape.output(0)) != kNoValue)
      continue;
    if (reader.input(0) != shape.output(0)) return all;
    if (reader.is("Gather") && from && from->dtype() == DType::kInt64) {
      for (std::int64_t i : from->data<std::int64_t>()) read.insert(given.begin + (i < 0 ? i + count : i));
      continue;
    }
    const auto begin = lone_int(from), end = lone_int(graph.constant(reader.input(2)));
    if (!reader.is("Slice") || !begin || !end || reader.input(4) != kNoValue) return all;
    const Range part = range_of(*begin, *end, count);
    for (std::int64_t i = part.begin; i < part.end; ++i) read.insert(given.begin + i);
  }
  return read;
}

}  // namespace pare::ir
