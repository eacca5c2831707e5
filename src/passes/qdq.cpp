#include "passes/qdq.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/float16.h"
#include "ir/sparsity.h"
#include "pare/error.h"
#include "passes/few_bits.h"

namespace pare::passes {
namespace {

using ir::Graph;
using ir::NodeId;
using ir::ValueId;

constexpr std::int64_t kQdqOpset = 13, kQdqIrVersion = 7;  // per-axis DequantizeLinear came with these
constexpr std::int64_t kBlockOpset = 21;                   // and with this 4 bits, 16 bits and blocks
constexpr std::int64_t kTwoBitOpset = 25, kTwoBitIrVersion = 13;

std::vector<std::int32_t> rounded(const Tensor& tensor, const QuantParams& params) {
  const auto [low, high] = integer_limits(params);
  const ParamMap map(params, tensor.dims());
  auto from = tensor.data<float>();
  std::vector<std::int32_t> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t c = map(i);
    const double value =
        std::nearbyint(static_cast<double>(from[i]) / static_cast<double>(params.scale[c])) + params.zero_point[c];
    to[i] = static_cast<std::int32_t>(std::clamp(value, low, high));
  }
  return to;
}

struct Constants {
  ValueId scale, zero_point;
};

/// Of several in a byte, low bits first; the byte's bits of it are 0.
void pack_code(std::uint8_t* bytes, std::size_t index, unsigned width, std::uint32_t value) {
  std::uint8_t& byte = bytes[index * width / 8];
  byte = static_cast<std::uint8_t>(byte | (value & ((1U << width) - 1)) << (index * width % 8));
}

Constants add_constants(Graph& graph, const std::string& base, const QuantParams& params, const Dims& tensor) {
  const Dims dims = ParamMap(params, tensor).scale_dims();
  return {graph.add_initializer(base + "_scale", Tensor::from(dims, params.scale)),
          graph.add_initializer(base + "_zero_point", pack_integers(params.zero_point, dims, params.dtype))};
}

NodeId add_linear(Graph& graph, const std::string& op, const std::string& base, ValueId in, const Constants& constants,
                  ValueId out, const QuantParams& params, NodeId before) {
  ir::Node node;
  node.name = graph.unique_node_name(base + "_" + op);
  node.op_type = op;
  node.inputs = {in, constants.scale, constants.zero_point};
  node.outputs = {out};
  if (params.axis >= 0) node.set("axis", static_cast<std::int64_t>(params.axis));
  if (params.block > 0) node.set("block_size", params.block);
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
                         const std::set<std::string>* readers, bool clip) {
  const ValueId value = require_value(graph, name);
  std::vector<NodeId> consumers = graph.value(value).consumers;
  if (readers) std::erase_if(consumers, [&](NodeId id) { return !readers->count(graph.node(id).name); });
  if (consumers.empty()) return;
  const ir::Shape shape = graph.value(value).shape;
  const ValueId source = clip ? clip_to_limits(graph, value, params, consumers.size()) : value;
  const NodeId before = first_in_order(graph, consumers);
  const Constants constants = add_constants(graph, name, params, {});
  const ValueId quantized = graph.add_value(name + "_quantized", params.dtype, shape);
  const ValueId restored = graph.add_value(name + "_dequantized", DType::kFloat32, shape);
  add_linear(graph, "QuantizeLinear", name, source, constants, quantized, params, before);
  add_linear(graph, "DequantizeLinear", name, quantized, constants, restored, params, before);
  for (NodeId consumer : consumers) {
    const std::vector<ValueId> inputs = graph.node(consumer).inputs;
    for (std::size_t slot = 0; slot < inputs.size(); ++slot)
      if (inputs[slot] == value) graph.set_input(consumer, slot, restored);
  }
}

/// Integers of 4 bits that fit into 2.
bool fits_two_bits(const Tensor& integers, const QuantParams& params) {
  if (bits(params.dtype) != 4) return false;
  const double low = params.dtype == DType::kInt4 ? -2 : 0;
  const auto fits = [low](double q) { return q >= low && q <= low + 3; };
  for (std::int64_t i = 0; i < integers.numel(); ++i)
    if (!fits(element_as_double(integers, i))) return false;
  return std::all_of(params.zero_point.begin(), params.zero_point.end(), fits);
}

/// The stored integers and a DequantizeLinear in front of `node`'s slot.
ValueId store_quantized(Graph& graph, const std::string& name, const Dims& dims, Tensor integers, QuantParams params,
                        NodeId node, bool two_bits = false) {
  if (two_bits && fits_two_bits(integers, params)) {
    params.dtype = params.dtype == DType::kInt4 ? DType::kInt2 : DType::kUint2;
    integers = cast(integers, params.dtype);
  }
  const ValueId stored = graph.add_initializer(name + "_quantized", std::move(integers));
  const Constants constants = add_constants(graph, name, params, dims);
  const ValueId restored = graph.add_value(name + "_dequantized", DType::kFloat32, ir::Shape::of(dims));
  add_linear(graph, "DequantizeLinear", name, stored, constants, restored, params, node);
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
  graph.set_input(node, 2, store_quantized(graph, name, bias->dims(), quantize_tensor(*bias, params), params, node));
  if (graph.value(old).consumers.empty() && !graph.is_output(old)) graph.erase_value(old);
}

}  // namespace

ParamMap::ParamMap(const QuantParams& params, const Dims& dims) {
  if (params.axis < 0) return;
  const auto axis = static_cast<std::size_t>(params.axis);
  length_ = static_cast<std::size_t>(dims[axis]);
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner_ *= static_cast<std::size_t>(dims[i]);
  if (params.block == 0) {
    count_ = length_;
    scale_dims_ = {dims[axis]};
    return;
  }
  block_ = static_cast<std::size_t>(params.block);
  blocks_ = (length_ + block_ - 1) / block_;
  scale_dims_ = dims;
  scale_dims_[axis] = static_cast<std::int64_t>(blocks_);
  for (std::int64_t dim : scale_dims_) count_ *= static_cast<std::size_t>(dim);
}

std::pair<double, double> integer_limits(const QuantParams& params) {
  const bool is_signed = params.dtype == DType::kInt8 || params.dtype == DType::kInt4 || params.dtype == DType::kInt16 ||
                         params.dtype == DType::kInt32;
  if (!is_signed && params.dtype != DType::kUint8 && params.dtype != DType::kUint4 && params.dtype != DType::kUint16)
    throw Error(ErrorCode::kInternal, "quantize", "unsupported integer type",
                "int4, uint4, int8, uint8, int16, uint16 or int32", std::string(name(params.dtype)));
  const int width = params.bits > 0 ? params.bits : bits(params.dtype);
  if (!is_signed) return {0, std::ldexp(1, width) - 1};
  const double most = std::ldexp(1, width - 1) - 1;
  return {params.bits > 0 ? -most : -most - 1, most};
}

Tensor pack_integers(std::span<const std::int32_t> values, const Dims& dims, DType dtype) {
  Tensor out(dtype, dims);
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.mutable_raw());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<std::uint32_t>(values[i]);
    if (bits(dtype) == 32)
      std::memcpy(bytes + 4 * i, &value, 4);
    else if (bits(dtype) == 16)
      std::memcpy(bytes + 2 * i, &value, 2);
    else if (bits(dtype) == 8)
      bytes[i] = static_cast<std::uint8_t>(value);
    else
      pack_code(bytes, i, static_cast<unsigned>(bits(dtype)), value);
  }
  return out;
}

DType narrowest_type(double low, double high) {
  if (low < 0) return low >= -8 && high <= 7 ? DType::kInt4 : DType::kInt8;
  return high <= 15 ? DType::kUint4 : DType::kUint8;
}

Tensor quantize_tensor(const Tensor& tensor, const QuantParams& params) {
  return pack_integers(rounded(tensor, params), tensor.dims(), params.dtype);
}

Tensor dequantize_tensor(const Tensor& integers, const QuantParams& params) {
  Tensor out(DType::kFloat32, integers.dims());
  const ParamMap map(params, integers.dims());
  auto values = out.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t p = map(i);
    const double level = element_as_double(integers, static_cast<std::int64_t>(i));
    values[i] = static_cast<float>(level - params.zero_point[p]) * params.scale[p];
  }
  return out;
}

std::int64_t opset_for(const QuantParams& params) {
  return bits(params.dtype) < 8 || bits(params.dtype) == 16 || params.block > 0 ? kBlockOpset : kQdqOpset;
}

void insert_qdq(ir::Model& model, const QdqPlan& plan) {
  std::int64_t opset = kQdqOpset;
  for (const auto* all : {&plan.weights, &plan.activations})
    for (const auto& [name, params] : *all) opset = std::max(opset, opset_for(params));
  raise_opset(model, opset);
  model.ir_version = std::max(model.ir_version, kQdqIrVersion);
  // ONNX Runtime (1.32) fuses quantized activations and weights of two bits into operators that do not take these.
  const bool two_bits = model.opset() >= kTwoBitOpset && plan.activations.empty();
  Graph& graph = model.graph;
  std::set<std::string> clipped;
  for (const auto& [name, params] : plan.activations)
    if (needs_clip(graph, plan, name)) clipped.insert(name);
  std::map<ValueId, ValueId> restored;  // shared weights are stored once
  for (const std::string& name : plan.nodes) {
    const NodeId node = graph.find_node(name);
    if (node == ir::kNoNode)
      throw Error(ErrorCode::kInternal, name, "a quantization plan names a node that the graph lacks");
    const ir::Node& layer = graph.node(node);
    const ValueId input = layer.input(0), weight = layer.input(1);
    const std::string weight_name = graph.value(weight).name;
    const QuantParams& params = plan.weights.at(weight_name);
    if (auto bias_input = plan.activations.find(graph.value(input).name);
        plan.integer_bias && bias_input != plan.activations.end())
      quantize_bias(graph, node, bias_input->second, params);
    const auto integers = plan.integers.find(weight_name);
    if (!restored.count(weight)) {
      const Tensor& floats = *graph.constant(weight);
      restored[weight] = store_quantized(
          graph, weight_name, floats.dims(),
          integers == plan.integers.end() ? quantize_tensor(floats, params) : integers->second, params, node, two_bits);
      const ValueId stored = graph.node(graph.producer(restored[weight])).input(0);
      if (bits(graph.value(stored).dtype) == 2) model.ir_version = std::max(model.ir_version, kTwoBitIrVersion);
    }
    graph.set_input(node, 1, restored[weight]);
  }
  for (const auto& [weight, unused] : restored)
    if (graph.value(weight).consumers.empty() && !graph.is_output(weight)) graph.erase_value(weight);
  for (const auto& [name, params] : plan.activations) {
    auto readers = plan.readers.find(name);
    quantize_activation(graph, name, params, readers == plan.readers.end() ? nullptr : &readers->second,
                        clipped.count(name) > 0);
  }
  graph.sort();
}

}  // namespace pare::passes
