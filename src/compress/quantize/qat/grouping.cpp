#include "compress/quantize/qat/grouping.h"

namespace pare::compress {
namespace {

ir::ValueId add(ir::Graph& graph, const std::string& name, ir::Node node) {
  node.name = graph.unique_node_name(name);
  node.outputs = {graph.add_value(name)};
  return graph.node(graph.add_node(std::move(node))).output(0);
}

ir::ValueId reshaped(ir::Graph& graph, const std::string& name, ir::ValueId x, const std::vector<std::int64_t>& dims) {
  ir::Node node;
  node.op_type = "Reshape";
  node.inputs = {x, graph.add_initializer(name + "_shape", Tensor::from({static_cast<std::int64_t>(dims.size())}, dims))};
  return add(graph, name, std::move(node));
}

/// [a, b, c] → [a, c, b].
ir::ValueId turned(ir::Graph& graph, const std::string& name, ir::ValueId x) {
  ir::Node node;
  node.op_type = "Transpose";
  node.inputs = {x};
  node.set("perm", std::vector<std::int64_t>{0, 2, 1});
  return add(graph, name, std::move(node));
}

}  // namespace

std::size_t Grouping::element(std::int64_t row, std::int64_t at) const {
  if (output_axis == 0) return static_cast<std::size_t>(row * group + at);
  const std::int64_t outputs = dims[1];
  return static_cast<std::size_t>((row / outputs * group + at) * outputs + row % outputs);
}

Tensor Grouping::gathered(const Tensor& matrix) const {
  Tensor out(DType::kFloat32, {rows(), group});
  const auto from = matrix.data<float>();
  auto to = out.mutable_data<float>();
  for (std::int64_t row = 0; row < rows(); ++row)
    for (std::int64_t at = 0; at < group; ++at) to[static_cast<std::size_t>(row * group + at)] = from[element(row, at)];
  return out;
}

std::vector<std::int32_t> Grouping::scattered(std::span<const std::int32_t> levels) const {
  std::vector<std::int32_t> out(levels.size());
  for (std::int64_t row = 0; row < rows(); ++row)
    for (std::int64_t at = 0; at < group; ++at) out[element(row, at)] = levels[static_cast<std::size_t>(row * group + at)];
  return out;
}

ir::ValueId Grouping::insert_gathered(ir::Graph& graph, const std::string& base, ir::ValueId matrix) const {
  ir::ValueId x = matrix;
  if (output_axis != 0) {
    x = reshaped(graph, base + "_in_groups", x, {dims[0] / group, group, dims[1]});
    x = turned(graph, base + "_by_output", x);
  }
  return reshaped(graph, base + "_rows", x, {rows(), group});
}

ir::ValueId Grouping::insert_scattered(ir::Graph& graph, const std::string& base, ir::ValueId rows) const {
  ir::ValueId x = rows;
  if (output_axis != 0) {
    x = reshaped(graph, base + "_rounded_rows", x, {dims[0] / group, dims[1], group});
    x = turned(graph, base + "_rounded_groups", x);
  }
  return reshaped(graph, base + "_rounded_weight", x, dims);
}

}  // namespace pare::compress
