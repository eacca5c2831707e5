#include "compress/lowrank/factorize.h"

#include <cmath>

namespace pare::compress {
namespace {

using ir::Graph;

/// √s Vᵀ truncated: [rank, columns].
std::vector<float> right_factor(const Svd& svd, std::int64_t rank) {
  std::vector<float> out(static_cast<std::size_t>(rank * svd.columns));
  for (std::int64_t k = 0; k < rank; ++k) {
    const float scale = std::sqrt(svd.s[static_cast<std::size_t>(k)]);
    for (std::int64_t c = 0; c < svd.columns; ++c) {
      const auto at = static_cast<std::size_t>(k * svd.columns + c);
      out[at] = scale * svd.vt[at];
    }
  }
  return out;
}

/// U √s truncated: [rows, rank].
std::vector<float> left_factor(const Svd& svd, std::int64_t rank) {
  std::vector<float> out(static_cast<std::size_t>(svd.rows * rank));
  for (std::int64_t r = 0; r < svd.rows; ++r)
    for (std::int64_t k = 0; k < rank; ++k)
      out[static_cast<std::size_t>(r * rank + k)] =
          std::sqrt(svd.s[static_cast<std::size_t>(k)]) * svd.u[static_cast<std::size_t>(r * svd.rank + k)];
  return out;
}

std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows, std::int64_t columns) {
  std::vector<float> out(matrix.size());
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      out[static_cast<std::size_t>(c * rows + r)] = matrix[static_cast<std::size_t>(r * columns + c)];
  return out;
}

/// Adds `first` in front of the layer, which then reads its output and `weight`.
void split(Graph& graph, const Layer& layer, ir::Node first, Tensor first_weight, Tensor second_weight) {
  const ir::ValueId old = graph.node(layer.node).input(1);
  first.name = graph.unique_node_name(layer.name + "_lowrank");
  first.inputs = {graph.node(layer.node).input(0),
                  graph.add_initializer(layer.weight_name + "_right", std::move(first_weight))};
  const ir::ValueId between = graph.add_value(layer.name + "_lowrank_output", DType::kFloat32);
  first.outputs = {between};
  graph.add_node(std::move(first), layer.node);
  graph.set_input(layer.node, 0, between);
  graph.set_input(layer.node, 1, graph.add_initializer(layer.weight_name + "_left", std::move(second_weight)));
  if (graph.value(old).consumers.empty() && !graph.is_output(old)) graph.erase_value(old);
}

void factorize_matrix(Graph& graph, const Layer& layer, const Svd& svd, std::int64_t rank) {
  ir::Node first;
  first.op_type = "MatMul";
  std::vector<float> left = left_factor(svd, rank);  // [N, r]
  const bool outputs_first = layer.weight.output_axis == 0;
  Dims dims = outputs_first ? Dims{svd.rows, rank} : Dims{rank, svd.rows};
  if (!outputs_first) left = transposed(left, svd.rows, rank);
  split(graph, layer, std::move(first),
        Tensor::from({svd.columns, rank}, transposed(right_factor(svd, rank), rank, svd.columns)),
        Tensor::from(std::move(dims), left));
}

void factorize_convolution(Graph& graph, const Layer& layer, const Svd& svd, std::int64_t rank) {
  ir::Node& node = graph.node(layer.node);
  ir::Node first;
  first.op_type = "Conv";
  first.attributes = node.attributes;
  Dims dims = graph.constant(node.input(1))->dims(), point = dims;
  dims[0] = rank;
  point[1] = rank;
  std::fill(point.begin() + 2, point.end(), 1);
  node.attributes.clear();
  node.set("kernel_shape", std::vector<std::int64_t>(point.begin() + 2, point.end()));
  split(graph, layer, std::move(first), Tensor::from(dims, right_factor(svd, rank)),
        Tensor::from(point, left_factor(svd, rank)));
}

}  // namespace

std::string why_whole(const Graph& graph, const Layer& layer) {
  const ir::Node& node = graph.node(layer.node);
  const ir::Value& weight = graph.value(layer.weight.value);
  if (node.input(1) != layer.weight.value || !weight.constant || weight.constant->dtype() != DType::kFloat32)
    return "its weight is not a float32 constant";
  if (node.is("Gemm") && node.int_or("transA", 0) != 0) return "transA is set";
  if (node.is("Conv") && node.int_or("group", 1) != 1) return "it has groups";
  if (weight.consumers.size() > 1 || graph.is_output(layer.weight.value)) return "its weight is read elsewhere too";
  return "";
}

std::vector<float> weight_matrix(const Graph& graph, const Layer& layer) {
  const auto weight = graph.constant(layer.weight.value)->data<float>();
  const ir::WeightView& view = layer.weight.view;
  std::vector<float> matrix;
  matrix.reserve(weight.size());
  // Inputs before taps: the order of a convolution's weight [O, I, kh, kw].
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t i = 0; i < view.inputs; ++i)
      for (std::int64_t t = 0; t < view.taps; ++t)
        matrix.push_back(weight[static_cast<std::size_t>(view.index(o, t, i))]);
  return matrix;
}

bool is_smaller(const ir::WeightView& view, std::int64_t rank) {
  const std::int64_t columns = view.inputs * view.taps;
  return rank * (view.outputs + columns) < view.outputs * columns;
}

void factorize(Graph& graph, const Layer& layer, const Svd& svd, std::int64_t rank) {
  if (graph.node(layer.node).is("Conv"))
    factorize_convolution(graph, layer, svd, rank);
  else
    factorize_matrix(graph, layer, svd, rank);
}

}  // namespace pare::compress
