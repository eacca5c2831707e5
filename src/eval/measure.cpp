#include "eval/measure.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/float16.h"
#include "base/hash.h"
#include "base/rng.h"
#include "ir/codebook.h"
#include "ir/infer.h"
#include "ir/sparsity.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

bool is_dynamic_scale(const ir::Graph& graph, ir::ValueId id) {
  const ir::NodeId producer = graph.producer(id);
  return producer != ir::kNoNode && graph.node(producer).is("DynamicQuantizeLinear");
}

/// True when every consumer takes the value as a scale or zero point of Quantize-/DequantizeLinear, or multiplies it by
/// the scale that DynamicQuantizeLinear found.
/// A product of scales: what a quantized bias is dequantized by.
bool is_scale_product(const ir::Graph& graph, const ir::Node& mul) {
  const std::vector<ir::NodeId>& readers = graph.value(mul.output(0)).consumers;
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](ir::NodeId reader) {
    const ir::Node& node = graph.node(reader);
    return node.is("DequantizeLinear") && node.input(1) == mul.output(0);
  });
}

bool is_quantization_parameter(const ir::Graph& graph, const ir::Value& value, ir::ValueId id) {
  if (value.consumers.empty()) return false;
  return std::all_of(value.consumers.begin(), value.consumers.end(), [&](ir::NodeId consumer) {
    const ir::Node& node = graph.node(consumer);
    if (node.is("Mul"))
      return is_dynamic_scale(graph, node.input(0)) || is_dynamic_scale(graph, node.input(1)) ||
             is_scale_product(graph, node);
    return (node.is("QuantizeLinear") || node.is("DequantizeLinear")) && node.input(0) != id;
  });
}

/// Parameters are what training found, besides what codebooks hold: float initializers of rank ≥ 1, and integers that DequantizeLinear or an integer
/// product reads.
bool is_parameter(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  if (!value.constant || value.constant->rank() == 0 || is_quantization_parameter(graph, value, id)) return false;
  if (is_float(value.dtype)) return true;
  return std::any_of(value.consumers.begin(), value.consumers.end(), [&](ir::NodeId consumer) {
    const ir::Node& node = graph.node(consumer);
    return (node.is("DequantizeLinear") && node.input(0) == id) ||
           ((node.is("MatMulInteger") || node.is("ConvInteger")) && node.input(1) == id);
  });
}

ir::ValueId stored_bias(const ir::Graph& graph, const ir::Node& node) {
  const ir::ValueId bias = node.is("Conv") || node.is("Gemm") ? node.input(2) : ir::kNoValue;
  if (bias == ir::kNoValue || graph.value(bias).constant) return bias;
  const ir::NodeId producer = graph.producer(bias);
  return producer != ir::kNoNode && graph.node(producer).is("DequantizeLinear") ? graph.node(producer).input(0)
                                                                                : ir::kNoValue;
}

LayerCost layer_cost(const ir::Graph& graph, ir::NodeId id, const ir::WeightRef& weight) {
  const ir::Node& node = graph.node(id);
  const Tensor& tensor = *graph.value(weight.value).constant;
  LayerCost cost{.node = node.name,
                 .op_type = node.op_type,
                 .weight = graph.value(weight.value).name,
                 .weight_dims = tensor.dims(),
                 .parameters = tensor.numel(),
                 .bytes = static_cast<std::int64_t>(tensor.bytes()),
                 .bits = bits(tensor.dtype()),
                 .sparsity = ir::sparsity(tensor)};
  if (const auto pattern = ir::detect_balanced(tensor, weight.view)) cost.pattern = pattern->to_string();
  const ir::ValueId bias = stored_bias(graph, node);
  if (const Tensor* stored = graph.constant(bias)) {
    cost.parameters += stored->numel();
    cost.bytes += static_cast<std::int64_t>(stored->bytes());
  }
  return cost;
}

/// Of a layer whose weight is a codebook's: what is stored, and how.
void store_as_codebook(LayerCost& cost, const ir::Graph& stored, const ir::Codebook& codebook, const Tensor& weight) {
  const Tensor &values = *stored.constant(codebook.values), &indices = *stored.constant(codebook.indices);
  const std::int64_t vector = values.rank() == 2 ? values.dim(1) : 1;
  cost.bytes += static_cast<std::int64_t>(values.bytes() + indices.bytes()) - static_cast<std::int64_t>(weight.bytes());
  cost.bits = static_cast<int>((bits(indices.dtype()) + vector - 1) / vector);
  cost.pattern = "codebook " + std::to_string(values.dim(0)) + (vector > 1 ? "×" + std::to_string(vector) : "");
}

/// The layers whose weights codebooks hold, as if these were expanded, but for what is stored.
void add_codebook_layers(const ir::Model& model, std::map<ir::NodeId, std::int64_t>& macs, ModelCost& cost) {
  if (!ir::has_codebooks(model.graph)) return;
  ir::Model expanded = model;
  ir::expand_codebooks(expanded);
  for (ir::NodeId id : model.graph.nodes()) {
    const auto codebook = ir::codebook_behind(model.graph, model.graph.node(id).input(1));
    if (!codebook || !expanded.graph.has_node(id)) continue;
    const std::optional<ir::WeightRef> weight = ir::find_weight(expanded.graph, id);
    if (!weight) continue;
    cost.layers.push_back(layer_cost(expanded.graph, id, *weight));
    store_as_codebook(cost.layers.back(), model.graph, *codebook, *expanded.graph.constant(weight->value));
    cost.layers.back().macs = macs[id];
  }
}

std::int64_t count_nonzero(const Tensor& tensor) {
  return tensor.numel() - static_cast<std::int64_t>(ir::sparsity(tensor) * static_cast<double>(tensor.numel()) + 0.5);
}

}  // namespace

NamedTensors random_inputs(const ir::Model& model, const std::map<std::string, Dims>& shapes, std::uint64_t seed) {
  NamedTensors inputs;
  for (ir::ValueId id : model.graph.inputs) {
    const ir::Value& value = model.graph.value(id);
    const auto shape = shapes.find(value.name);
    if (shape == shapes.end()) throw Error(ErrorCode::kBadInput, value.name, "no shape for this input");
    Rng rng(seed, kRngTest, static_cast<std::uint64_t>(inputs.size()));
    const bool real = is_float(value.dtype);
    std::vector<float> values(static_cast<std::size_t>(element_count(shape->second)));
    // Token ids, masks, counts: 0 and 1 are valid for all of them.
    for (float& v : values) v = real ? static_cast<float>(rng.normal()) : static_cast<float>(rng.below(2));
    inputs[value.name] = cast(Tensor::from(shape->second, values), value.dtype);
  }
  return inputs;
}

FileCost file_cost(const exec::ModelStore& store, const ir::Model& model) {
  FileCost cost;
  Hasher hasher;
  GzipSize gzip;
  store.visit_content(model, [&](std::string_view piece) {
    cost.bytes += static_cast<std::int64_t>(piece.size());
    hasher.add(piece);
    gzip.add(piece);
  });
  cost.gzip_bytes = gzip.finish();
  cost.hash = hasher.hex();
  return cost;
}

std::string content_hash(const exec::ModelStore& store, const ir::Model& model) {
  Hasher hasher;
  store.visit_content(model, [&](std::string_view piece) { hasher.add(piece); });
  return hasher.hex();
}

ModelCost model_cost(const ir::Model& model, const std::map<std::string, Dims>& input_shapes) {
  const ir::Graph& graph = model.graph;
  ModelCost cost;
  std::set<ir::ValueId> codebooks;  // as little parameters as scales are
  for (ir::NodeId id : graph.nodes())
    if (const auto codebook = ir::find_codebook(graph, graph.node(id)); codebook && codebooks.insert(codebook->values).second) {
      const Tensor weights = ir::gathered_weights(model, graph.node(id));
      cost.parameters += weights.numel();
      cost.nonzero_parameters += count_nonzero(weights);
    }
  for (ir::ValueId id : graph.values()) {
    if (!is_parameter(graph, id) || codebooks.count(id)) continue;
    const Tensor& tensor = *graph.value(id).constant;
    cost.parameters += tensor.numel();
    cost.nonzero_parameters += bits(tensor.dtype()) >= 8 ? count_nonzero(tensor) : tensor.numel();
  }
  std::map<ir::NodeId, std::int64_t> macs;
  for (const ir::NodeMacs& entry : ir::count_macs(model, input_shapes)) {
    macs[entry.node] = entry.macs;
    cost.macs += entry.macs;
  }
  for (ir::NodeId id : graph.nodes()) {
    const std::optional<ir::WeightRef> weight = ir::find_weight(graph, id);
    if (!weight) continue;
    cost.layers.push_back(layer_cost(graph, id, *weight));
    cost.layers.back().macs = macs[id];
  }
  add_codebook_layers(model, macs, cost);
  return cost;
}

void add_layer_latency(ModelCost& cost, exec::Executor& executor, const NamedTensors& inputs, int repeats) {
  std::map<std::string, Dims> shapes;
  for (const auto& [name, tensor] : inputs) shapes[name] = tensor.dims();
  // Timed first: what depends on data is planned by a run.
  const std::vector<exec::StepTime> profile = executor.profile(inputs, repeats);
  const std::vector<exec::PlanStep> steps = executor.plan(shapes);
  std::map<std::string, std::size_t> step_of;
  for (std::size_t i = 0; i < steps.size(); ++i)
    for (const std::string& node : steps[i].nodes) step_of.emplace(node, i);
  std::map<std::size_t, double> times;
  for (const exec::StepTime& time : profile) times[time.step] = time.median_ms;
  for (LayerCost& layer : cost.layers) {
    const auto step = step_of.find(layer.node);
    if (step == step_of.end()) continue;
    layer.kernel = steps[step->second].kernel;
    if (const auto time = times.find(step->second); time != times.end()) layer.latency_ms = time->second;
  }
}

}  // namespace pare::eval
