#include "passes/qdq.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/sparsity.h"
#include "pare/error.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

constexpr std::int64_t kQdqOpset = 13, kQdqIrVersion = 7;  // per-axis DequantizeLinear came with these

std::pair<double, double> limits(DType type) {
  switch (type) {
    case DType::kInt8:
      return {-128, 127};
    case DType::kUint8:
      return {0, 255};
    case DType::kInt32:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default:
      throw Error(ErrorCode::kInternal, "quantize", "unsupported integer type", "int8, uint8 or int32",
                  std::string(name(type)));
  }
}

template <class T>
void quantize_into(const Tensor& tensor, const QuantParams& params, Tensor& out) {
  const auto [low, high] = limits(params.dtype);
  auto from = tensor.data<float>();
  auto to = out.mutable_data<T>();
  std::int64_t inner = 1, channels = static_cast<std::int64_t>(params.scale.size());
  for (std::int64_t axis = params.axis + 1; params.axis >= 0 && axis < tensor.rank(); ++axis) inner *= tensor.dim(axis);
  for (std::size_t i = 0; i < from.size(); ++i) {
    auto c = params.axis < 0 ? 0 : static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % channels);
    double value =
        std::nearbyint(static_cast<double>(from[i]) / static_cast<double>(params.scale[c])) + params.zero_point[c];
    to[i] = static_cast<T>(std::clamp(value, low, high));
  }
}

template <class T>
Tensor integers(const QuantParams& params) {
  std::vector<T> values(params.zero_point.begin(), params.zero_point.end());
  Dims dims = params.axis < 0 ? Dims{} : Dims{static_cast<std::int64_t>(values.size())};
  return Tensor::from(dims, values);
}

Tensor zero_points(const QuantParams& params) {
  if (params.dtype == DType::kInt8) return integers<std::int8_t>(params);
  if (params.dtype == DType::kUint8) return integers<std::uint8_t>(params);
  return integers<std::int32_t>(params);
}

struct Constants {
  ValueId scale, zero_point;
};

Constants add_constants(Graph& graph, const std::string& base, const QuantParams& params) {
  Dims dims = params.axis < 0 ? Dims{} : Dims{static_cast<std::int64_t>(params.scale.size())};
  return {graph.add_initializer(base + "_scale", Tensor::from(dims, params.scale)),
          graph.add_initializer(base + "_zero_point", zero_points(params))};
}

NodeId add_linear(Graph& graph, const std::string& op, const std::string& base, ValueId in, const Constants& constants,
                  ValueId out, int axis, NodeId before) {
  ir::Node node;
  node.name = graph.unique_node_name(base + "_" + op);
  node.op_type = op;
  node.inputs = {in, constants.scale, constants.zero_point};
  node.outputs = {out};
  if (axis >= 0) node.set("axis", static_cast<std::int64_t>(axis));
  return graph.add_node(std::move(node), before);
}

NodeId first_in_order(const Graph& graph, const std::vector<NodeId>& nodes) {
  for (NodeId id : graph.nodes())
    if (std::find(nodes.begin(), nodes.end(), id) != nodes.end()) return id;
  return ir::kNoNode;
}

ValueId require_value(const Graph& graph, const std::string& value) {
  ValueId id = graph.find_value(value);
  if (id == ir::kNoValue)
    throw Error(ErrorCode::kInternal, value, "a quantization plan names a value that the graph lacks");
  return id;
}

/// One Q and one DQ behind the value; every node that read the value (of `readers`, when given) reads the DQ, a graph
/// output stays the float value.
void quantize_activation(Graph& graph, const std::string& name, const QuantParams& params,
                         const std::set<std::string>* readers) {
  const ValueId value = require_value(graph, name);
  std::vector<NodeId> consumers = graph.value(value).consumers;
  if (readers) std::erase_if(consumers, [&](NodeId id) { return !readers->count(graph.node(id).name); });
  if (consumers.empty()) return;
  const ir::Shape shape = graph.value(value).shape;
  const NodeId before = first_in_order(graph, consumers);
  const Constants constants = add_constants(graph, name, params);
  const ValueId quantized = graph.add_value(name + "_quantized", params.dtype, shape);
  const ValueId restored = graph.add_value(name + "_dequantized", DType::kFloat32, shape);
  add_linear(graph, "QuantizeLinear", name, value, constants, quantized, -1, before);
  add_linear(graph, "DequantizeLinear", name, quantized, constants, restored, -1, before);
  for (NodeId consumer : consumers) {
    const std::vector<ValueId> inputs = graph.node(consumer).inputs;
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot] == value) graph.set_input(consumer, slot, restored);
  }
}

/// The stored integers and a DequantizeLinear in front of `node`'s slot.
ValueId store_quantized(Graph& graph, const std::string& name, const Tensor& tensor, const QuantParams& params,
                        NodeId node) {
  const ValueId stored = graph.add_initializer(name + "_quantized", quantize_tensor(tensor, params));
  const Constants constants = add_constants(graph, name, params);
  const ValueId restored = graph.add_value(name + "_dequantized", DType::kFloat32, ir::Shape::of(tensor.dims()));
  add_linear(graph, "DequantizeLinear", name, stored, constants, restored, params.axis, node);
  return restored;
}

/// int32 at scale input · weight; a value beyond int32 saturates (callers raise the weight's scale to avoid that).
void quantize_bias(Graph& graph, NodeId node, const QuantParams& input, const QuantParams& weight) {
  const ir::Node& layer = graph.node(node);
  if (layer.is("MatMul") || layer.input(2) == ir::kNoValue) return;
  const Tensor* bias = graph.constant(layer.input(2));
  const std::string name = graph.value(layer.input(2)).name;
  if (!bias || bias->dtype() != DType::kFloat32 || bias->rank() != 1)
    throw Error(ErrorCode::kInternal, name, "a quantization plan includes a layer whose bias is not a constant vector");
  QuantParams params{.dtype = DType::kInt32, .axis = weight.axis < 0 ? -1 : 0};
  for (float scale : weight.scale) params.scale.push_back(input.scale[0] * scale);
  params.zero_point.assign(params.scale.size(), 0);
  const ValueId old = layer.input(2);
  graph.set_input(node, 2, store_quantized(graph, name, *bias, params, node));
  if (graph.value(old).consumers.empty() && !graph.is_output(old)) graph.erase_value(old);
}

}  // namespace

Tensor quantize_tensor(const Tensor& tensor, const QuantParams& params) {
  Tensor out(params.dtype, tensor.dims());
  if (params.dtype == DType::kInt8)
    quantize_into<std::int8_t>(tensor, params, out);
  else if (params.dtype == DType::kUint8)
    quantize_into<std::uint8_t>(tensor, params, out);
  else
    quantize_into<std::int32_t>(tensor, params, out);
  return out;
}

void insert_qdq(ir::Model& model, const QdqPlan& plan) {
  raise_opset(model, kQdqOpset);
  model.ir_version = std::max(model.ir_version, kQdqIrVersion);
  Graph& graph = model.graph;
  std::map<ValueId, ValueId> restored;  // shared weights are stored once
  for (const std::string& name : plan.nodes) {
    const NodeId node = graph.find_node(name);
    if (node == ir::kNoNode)
      throw Error(ErrorCode::kInternal, name, "a quantization plan names a node that the graph lacks");
    const ir::Node& layer = graph.node(node);
    const ValueId input = layer.input(0), weight = layer.input(1);
    const std::string weight_name = graph.value(weight).name;
    const QuantParams& params = plan.weights.at(weight_name);
    if (auto bias_input = plan.activations.find(graph.value(input).name); bias_input != plan.activations.end())
      quantize_bias(graph, node, bias_input->second, params);
    if (!restored.count(weight))
      restored[weight] = store_quantized(graph, weight_name, *graph.constant(weight), params, node);
    graph.set_input(node, 1, restored[weight]);
  }
  for (const auto& [weight, unused] : restored)
    if (graph.value(weight).consumers.empty() && !graph.is_output(weight)) graph.erase_value(weight);
  for (const auto& [name, params] : plan.activations) {
    auto readers = plan.readers.find(name);
    quantize_activation(graph, name, params, readers == plan.readers.end() ? nullptr : &readers->second);
  }
  graph.sort();
}

}  // namespace pare::passes
