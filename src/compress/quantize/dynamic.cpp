// quantize/dynamic: int8 weights; activations become uint8 when the model runs, over the range of the very tensor, so
// that no calibration data is needed. Written in standard operators, as ONNX Runtime's dynamic quantizer does:
//
//   x → DynamicQuantizeLinear → MatMulInteger | ConvInteger (int8 weight) → Cast → Mul(x_scale · w_scale) → Add(bias)
//
// Affine weights are uint8 with zero points, the integer operators' last input; of a convolution one for the tensor, since
// ONNX Runtime's ConvInteger takes no others.
//
// (Krishnamoorthi, Quantizing Deep Convolutional Networks for Efficient Inference, 2018, section 3.) One
// DynamicQuantizeLinear serves all layers that read a value.
#include <algorithm>
#include <map>

#include "compress/quantize/common.h"
#include "compress/quantize/params.h"
#include "compress/quantize/placement.h"

namespace pare::compress {
namespace {

using ir::Graph;
using ir::ValueId;
using nlohmann::json;

std::span<const Option> options() {
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {weights_option()};
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

Placement place(const ir::Model& model, const json& options) {
  std::set<ir::NodeId> excluded;
  return place_layers(model.graph, options, {}, excluded, "quantize");
}

void validate(const ir::Model& model, const StepContext& context) {
  require_8_bits(context.options, "weights");
  require_not_quantized(model.graph);
  place(model, context.options);
  require_opset(model, 11, "DynamicQuantizeLinear needs");
}

/// What DynamicQuantizeLinear makes of one value.
struct Quantized {
  ValueId integers, scale, zero_point;
};

/// Weights [K, N] for MatMulInteger, whatever Gemm's transB says.
Tensor transposed(const Tensor& weight) {
  const std::int64_t rows = weight.dim(0), columns = weight.dim(1);
  Tensor out(weight.dtype(), {columns, rows});
  const std::byte* from = weight.raw();
  std::byte* to = out.mutable_raw();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      to[c * rows + r] = from[r * columns + c];
  return out;
}

class Writer {
 public:
  explicit Writer(Graph& graph) : graph_(graph) {}

  void convert(const Layer& layer, const passes::QuantParams& params) {
    const ir::Node node = graph_.node(layer.node);
    const bool convolution = node.is("Conv");
    const Quantized x = quantized(node.input(0));
    // A channel of a convolution lies before the spatial axes: its constants are [C, 1, 1].
    const std::int64_t spatial = convolution ? graph_.constant(node.input(1))->rank() - 2 : 0;
    const auto [weight, scale, zero_point] = stored(layer, node, params, spatial);
    const ValueId y = node.output(0), bias_id = node.is("MatMul") ? ir::kNoValue : node.input(2);
    std::vector<float> bias;
    if (const Tensor* given = graph_.constant(bias_id))
      bias.assign(given->data<float>().begin(), given->data<float>().end());
    graph_.erase_node(layer.node);
    ir::Attributes attributes = convolution ? node.attributes : ir::Attributes{};
    std::vector<ValueId> operands = {x.integers, weight, x.zero_point};
    if (zero_point != ir::kNoValue) operands.push_back(zero_point);
    const ValueId sums = add(convolution ? "ConvInteger" : "MatMulInteger", node.name, std::move(operands), ir::kNoValue,
                             std::move(attributes));
    const ValueId floats =
        add("Cast", node.name + "_cast", {sums}, ir::kNoValue, {{"to", ir::Attribute{std::int64_t{1}}}});  // FLOAT
    const ValueId scales = add("Mul", node.name + "_scales", {x.scale, scale});
    if (bias.empty()) {
      add("Mul", node.name + "_scale", {floats, scales}, y);
    } else {
      const ValueId scaled = add("Mul", node.name + "_scale", {floats, scales});
      add("Add", node.name + "_bias", {scaled, vector_of(node.name + "_bias", bias, spatial)}, y);
    }
    for (ValueId old : {node.input(1), bias_id})
      if (old != ir::kNoValue && graph_.has_value(old) && graph_.value(old).consumers.empty() && !graph_.is_output(old))
        graph_.erase_value(old);
  }

 private:
  const Quantized& quantized(ValueId x) {
    auto [found, first] = quantized_.try_emplace(x);
    if (!first) return found->second;
    const std::string base = graph_.value(x).name;
    ir::Node node;
    node.name = graph_.unique_node_name(base + "_DynamicQuantizeLinear");
    node.op_type = "DynamicQuantizeLinear";
    node.inputs = {x};
    found->second = {graph_.add_value(base + "_quantized"), graph_.add_value(base + "_scale"),
                     graph_.add_value(base + "_zero_point")};
    node.outputs = {found->second.integers, found->second.scale, found->second.zero_point};
    graph_.add_node(std::move(node));
    return found->second;
  }

  /// Of a layer's weight; layers that share a weight share them.
  struct Stored {
    ValueId integers, scale, zero_point = ir::kNoValue;
  };
  const Stored& stored(const Layer& layer, const ir::Node& node, const passes::QuantParams& params, std::int64_t spatial) {
    const bool transpose = node.is("Gemm") && layer.weight.output_axis == 0;
    auto [found, first] = stored_.try_emplace({layer.weight.value, transpose});
    if (!first) return found->second;
    Tensor integers = passes::quantize_tensor(*graph_.constant(layer.weight.value), params);
    if (transpose) integers = transposed(integers);
    found->second = {graph_.add_initializer(layer.weight_name + "_quantized", std::move(integers)),
                     vector_of(layer.weight_name + "_scale", params.scale, spatial)};
    if (params.dtype == DType::kUint8) {
      const Dims dims = params.axis < 0 ? Dims{} : Dims{static_cast<std::int64_t>(params.zero_point.size())};
      found->second.zero_point = graph_.add_initializer(layer.weight_name + "_zero_point",
                                                        passes::pack_integers(params.zero_point, dims, params.dtype));
    }
    return found->second;
  }

  ValueId vector_of(const std::string& name, const std::vector<float>& values, std::int64_t spatial) {
    Dims dims = {static_cast<std::int64_t>(values.size())};
    dims.resize(static_cast<std::size_t>(1 + spatial), 1);
    return graph_.add_initializer(name, Tensor::from(dims, values));
  }

  /// A node that writes `out`, or a new value called after the node.
  ValueId add(const std::string& type, const std::string& name, std::vector<ValueId> inputs, ValueId out = ir::kNoValue,
              ir::Attributes attributes = {}) {
    ir::Node node;
    node.name = graph_.unique_node_name(name);
    node.op_type = type;
    node.inputs = std::move(inputs);
    node.outputs = {out == ir::kNoValue ? graph_.add_value(name + "_output") : out};
    node.attributes = std::move(attributes);
    out = node.outputs[0];
    graph_.add_node(std::move(node));
    return out;
  }

  Graph& graph_;
  std::map<ValueId, Quantized> quantized_;
  std::map<std::pair<ValueId, bool>, Stored> stored_;  // by weight, and whether it was transposed
};

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const Placement placement = place(model, context.options);
  const WeightSpec spec = weight_spec(context.options.at("weights"));
  const auto spec_of = [&](const Layer& layer) {
    WeightSpec own = spec;
    own.per_channel = spec.per_channel && (spec.symmetric || !model.graph.node(layer.node).is("Conv"));
    return own;
  };
  if (std::any_of(placement.layers.begin(), placement.layers.end(),
                  [&](const Layer& layer) { return spec_of(layer).per_channel != spec.per_channel; }))
    context.control.warn("quantize: affine weights of convolutions get one scale and zero point a layer: ONNX Runtime's "
                         "ConvInteger takes no zero points by channel");
  passes::raise_opset(model, 11);
  json nodes = json::array(), skipped = json::array();
  std::map<ValueId, passes::QuantParams> params;  // before the first weight goes: layers may share one
  for (const Layer& layer : placement.layers)
    params.try_emplace(layer.weight.value, weight_params(*model.graph.constant(layer.weight.value),
                                                         layer.weight.output_axis, spec_of(layer)));
  Writer writer(model.graph);
  for (const Layer& layer : placement.layers) {
    writer.convert(layer, params.at(layer.weight.value));
    nodes.push_back(layer.name);
  }
  for (const auto& [node, reason] : placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  model.graph.sort();
  context.record["quantized"] = {{"nodes", nodes}, {"skipped", skipped}};
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : place(model, options).layers) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& dynamic_quantization() {
  static const Method method = {"quantize",
                                "dynamic",
                                "int8 weights, activations quantized when the model runs",
                                "Krishnamoorthi, Quantizing Deep Convolutional Networks for Efficient Inference, 2018",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                true,
                                target_names};
  return method;
}

}  // namespace pare::compress
