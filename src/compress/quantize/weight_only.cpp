// quantize/weight_only: weights of 2 to 8 bits, for matrices in groups of input channels; activations stay float. Written
// as DequantizeLinear, which keeps the product as it is:
//
//   int4 [K, N], scales [K/g, N] → DequantizeLinear(block_size g) → MatMul
//
// A product with few rows is bound by the reading of its weights, so it gets faster by what they shrink.
#include "compress/layerwise/hessian.h"
#include "compress/quantize/common.h"
#include "compress/quantize/gptq.h"
#include "compress/quantize/placement.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"weights",
         kGroup,
         "{}",
         "how weights are stored",
         {},
         {},
         {},
         {{"bits", kInt, "4", "of a weight; 4 are stored as int4, others in bytes", {}, 2, 8},
          {"scheme",
           kString,
           "\"affine\"",
           "affine: with a zero point, since the few weights of a group are seldom symmetric; symmetric: around 0",
           {"affine", "symmetric"}},
          {"rounding", kString, "\"auto\"",
           "nearest; gptq: later inputs make up for the error of earlier ones, by training samples; auto: gptq where "
           "there are some",
           {"auto", "nearest", "gptq"}},
          {"act_order", kBool, "true", "gptq rounds the inputs of most energy first"},
          {"sequential", kBool, "false",
           "gptq: each layer sees its inputs as the rounded layers before it make them, a pass over the samples for "
           "each, instead of all as the original makes them"},
          {"samples", kInt, "512", "training samples that gptq looks at; 0: all", {}, 0, 1e12},
          {"group_size", kInt, "32", "input channels of a matrix that share a scale; 0: all of an output channel", {}, 0,
           1e6}}}};
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

/// Convolutions have a scale for each output channel.
WeightSpec spec_of(const ir::Model& model, const Layer& layer, const json& options) {
  WeightSpec spec = weight_spec(options.at("weights"));
  if (model.graph.constant(layer.weight.value)->rank() != 2) spec.group = 0;
  return spec;
}

bool uses_gptq(const StepContext& context) {
  const auto rounding = context.options.at("weights").at("rounding").get<std::string>();
  return rounding == "gptq" || (rounding == "auto" && context.dataset.train && context.dataset.train->size() > 0);
}

void validate(const ir::Model& model, const StepContext& context) {
  require_not_quantized(model.graph);
  if (uses_gptq(context) && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "quantize.weights.rounding", "gptq needs a train split in the data file");
  const auto group = context.options.at("weights").at("group_size").get<std::int64_t>();
  for (const Layer& layer : place(model, context.options).layers)
    if (spec_of(model, layer, context.options).group > 0 && layer.weight.view.inputs % group != 0)
      throw Error(ErrorCode::kUnsupported, "node '" + layer.name + "'",
                  "quantize.weights.group_size does not divide the input channels; exclude the layer or choose another",
                  "a divisor of " + std::to_string(layer.weight.view.inputs), std::to_string(group));
  ir::Model trial = model;
  passes::raise_opset(trial, 21);
}

/// Layers in graph order; each sees inputs as the layers before it, already rounded, make them.
void round_by_gptq(const ir::Model& model, const std::vector<Layer>& layers, StepContext& context,
                   passes::QdqPlan& plan) {
  const json& options = context.options.at("weights");
  ir::Model seen = model;
  const auto round = [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
    context.control.check_cancelled();
    const Tensor& weight = *model.graph.constant(layer.weight.value);
    if (plan.integers.count(layer.weight_name)) return;  // shared: rounded by what the first sees
    const passes::QuantParams params = weight_params(weight, layer.weight.output_axis, spec_of(model, layer, context.options),
                                                     input_energy(layer.weight.view, hessian, groups));
    plan.integers[layer.weight_name] =
        gptq(weight, layer.weight.view, params, hessian, groups, {.act_order = options.at("act_order")});
    plan.weights[layer.weight_name] = params;
  };
  if (!options.at("sequential").get<bool>()) return visit_hessians(model, layers, options.at("samples"), context, round);
  const auto runs = runs_of(model.graph, layers);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    visit_hessians(seen, runs[i], options.at("samples"), context, round);
    for (const Layer& layer : runs[i])
      if (const auto found = plan.integers.find(layer.weight_name); found != plan.integers.end())
        seen.graph.set_constant(layer.weight.value,
                                passes::dequantize_tensor(found->second, plan.weights.at(layer.weight_name)));
    context.control.report(
        {"gptq", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
  }
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const Placement placement = place(model, context.options);
  passes::QdqPlan plan;
  if (uses_gptq(context)) round_by_gptq(model, placement.layers, context, plan);
  for (const Layer& layer : placement.layers) {
    if (!plan.weights.count(layer.weight_name))
      plan.weights[layer.weight_name] = weight_params(*model.graph.constant(layer.weight.value),
                                                      layer.weight.output_axis, spec_of(model, layer, context.options));
    plan.nodes.push_back(layer.name);
  }
  passes::insert_qdq(model, plan);
  json skipped = json::array();
  for (const auto& [node, reason] : placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  context.record["quantized"] = {
      {"nodes", plan.nodes}, {"skipped", skipped}, {"rounding", uses_gptq(context) ? "gptq" : "nearest"}};
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : place(model, options).layers) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& weight_only_quantization() {
  static const Method method = {"quantize",
                                "weight_only",
                                "weights of 2 to 8 bits in groups, activations in float",
                                "Frantar et al., GPTQ: Accurate Post-Training Quantization for Generative Pre-trained "
                                "Transformers, 2023",
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
