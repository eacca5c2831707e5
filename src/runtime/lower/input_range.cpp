#include "runtime/lower/input_range.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/float16.h"
#include "ir/pare_domain.h"
#include "runtime/activation.h"

namespace pare::runtime {

namespace {

bool keeps_values(const ir::Node& node) {
  static constexpr std::array<std::string_view, 7> kMovers = {"MaxPool", "Reshape",   "Flatten", "Transpose",
                                                              "Squeeze", "Unsqueeze", "Identity"};
  return std::find(kMovers.begin(), kMovers.end(), node.op_type) != kMovers.end();
}

InputRange range_of(const Tensor& table) {
  InputRange range{255, -128};
  for (std::int64_t i = 0; i < table.numel(); ++i) {
    const auto entry = static_cast<std::int32_t>(element_as_double(table, i));
    range = {std::min(range.low, entry), std::max(range.high, entry)};
  }
  return range;
}

}  // namespace

std::optional<InputRange> input_range(const ir::Model& model, ir::ValueId quantized) {
  const ir::Graph& graph = model.graph;
  ir::NodeId id = graph.producer(quantized);
  while (id != ir::kNoNode && keeps_values(graph.node(id))) id = graph.producer(graph.node(id).input(0));
  if (id != ir::kNoNode && graph.node(id).op_type == "Lookup" && graph.node(id).domain == ir::kPareDomain)
    return range_of(*graph.constant(graph.node(id).input(1)));
  const auto view = quantized_by(graph, id);
  if (!view || !view->is_8_bit() || !view->per_tensor()) return std::nullopt;
  ir::NodeId bounded = graph.producer(graph.node(id).input(0));
  while (bounded != ir::kNoNode && keeps_values(graph.node(bounded)))
    bounded = graph.producer(graph.node(bounded).input(0));
  const auto activation = bounded == ir::kNoNode ? std::nullopt : activation_of(model, graph.node(bounded));
  const auto clamp = activation ? clamp_of(*activation) : std::nullopt;
  if (!clamp) return std::nullopt;
  const double least = view->dtype == DType::kInt8 ? -128 : 0, most = least + 255;
  const auto at = [&](float bound) {
    const double q = std::nearbyint(static_cast<double>(bound / view->scale[0])) + view->zero_point[0];
    return static_cast<std::int32_t>(std::clamp(q, least, most));
  };
  return InputRange{at(clamp->lo), at(clamp->hi)};
}

}  // namespace pare::runtime
