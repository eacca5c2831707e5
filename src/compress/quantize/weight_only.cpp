// quantize/weight_only: weights of 2 to 8 bits, for matrices in groups of input channels; activations stay float. Written
// as DequantizeLinear, which keeps the product as it is:
//
//   int4 [K, N], scales [K/g, N] → DequantizeLinear(block_size g) → MatMul
//
// A product with few rows is bound by the reading of its weights, so it gets faster by what they shrink.
#include "compress/quantize/awq.h"
#include "compress/quantize/bias_correction.h"
#include "compress/quantize/common.h"
#include "compress/quantize/group_size.h"
#include "compress/quantize/layer_rounding.h"
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
         {{"bits", kInt, "4", "of a weight; up to 4 are stored as int4 (2 as int2 in models of opset 25), more in bytes", {}, 2, 8},
          {"scheme",
           kString,
           "\"affine\"",
           "affine: with a zero point, since the few weights of a group are seldom symmetric; symmetric: around 0",
           {"affine", "symmetric"}},
          {"group_size", kInt, "32", "input channels of a matrix that share a scale; 0: all of an output channel", {}, 0,
           1e6},
          {"conv_group_size", kInt, "0",
           "input channels of a convolution that share a scale, at each position of the kernel; layers with fewer inputs, and "
           "all at 0, have one for each output channel",
           {}, 0, 1e6}}}};
    // Inputs as the float model makes them: one pass over the samples, and no worse where both were measured.
    for (Option option : rounding_options("nearest; by training samples gptq: later inputs make up for the error of "
                                          "earlier ones, or adaround: learned, up or down, or brecq: learned block by "
                                          "block, which needs the training plug-in; auto: gptq where there are some",
                                          false))
      list.front().children.push_back(option);
    list.push_back({"edge_bits", kInt, "0",
                    "of the weights of the first and the last layers, to which outputs are most sensitive; 0: as the others",
                    {}, 0, 8});
    list.push_back({"bias_correction", kBool, "true",
                    "with rounding by samples: biases make up for the mean of the error, and the rounding for the rest"});
    list.push_back({"awq", kString, "\"off\"",
                    "AWQ rounds weights finer that meet large inputs, where the operator in front can take the scaling "
                    "back: off, auto (the strength by which the layers err least) or the strength α from 0 to 1"});
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json& options) { return rounding_needs_gradients(options.at("weights")); }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

Placement place(const ir::Model& model, const json& options) {
  std::set<ir::NodeId> excluded;
  return place_layers(model.graph, options, {}, excluded, "quantize");
}

/// Matrices and convolutions have groups of their own sizes; the layers nearest to inputs and outputs may have bits of their
/// own.
class Specs {
 public:
  Specs(const ir::Graph& graph, const json& options) : graph_(graph), options_(options) {
    if (options.at("edge_bits") != 0)
      edges_ = select_nodes(graph, find_layers(graph), {}, {"first", "last"}, "quantize.edge_bits");
  }
  WeightSpec operator()(const Layer& layer) const {
    WeightSpec spec = weight_spec(options_.at("weights"));
    if (graph_.constant(layer.weight.value)->rank() != 2) {
      spec.group = options_.at("weights").at("conv_group_size");
      if (layer.weight.view.inputs < spec.group) spec.group = 0;
    }
    if (edges_.count(layer.node)) spec.bits = options_.at("edge_bits");
    return spec;
  }

 private:
  const ir::Graph& graph_;
  const json& options_;
  std::set<ir::NodeId> edges_;
};

bool has_samples(const StepContext& context) { return context.dataset.train && context.dataset.train->size() > 0; }

void validate(const ir::Model& model, const StepContext& context) {
  require_not_quantized(model.graph);
  require_rounding_data(context.options.at("weights"), context);
  if (strength_option(context.options, "awq").on() && !has_samples(context))
    throw Error(ErrorCode::kUsage, "quantize.awq", "AWQ needs a train split in the data file");
  if (context.options.at("edge_bits") == 1)
    throw Error(ErrorCode::kUsage, "quantize.edge_bits", "weights take 2 bits or more", "0 or 2 to 8", "1");
  const Specs spec(model.graph, context.options);
  std::string blocked;  // a layer that bytes with a scale for each output channel do not hold
  for (const Layer& layer : place(model, context.options).layers) {
    const WeightSpec one = spec(layer);
    if (one.group > 0)
      require_group_divides(layer, one.group, model.graph.node(layer.node).is("Conv") ? "conv_group_size" : "group_size");
    if (one.group > 0 || one.bits <= 4) blocked = layer.name;
  }
  if (blocked.empty())
    require_opset(model, 13, "DequantizeLinear by channel needs");
  else
    require_opset(model, 21, "int4 weights and groups, as layer '" + blocked + "' gets, need",
                  "weights of other bits with group_size 0 (opset 13), or exclude such layers");
}

void rescale_by_inputs(ir::Model& model, StepContext& context) {
  const Strength strength = strength_option(context.options, "awq");
  if (!strength.on()) return;
  const AwqResult done =
      awq(model, place(model, context.options).layers,
          Specs(model.graph, context.options), strength.alpha,
          context.options.at("weights").at("samples"), context);
  context.record["awq"] = {
      {"folded", done.folded}, {"left", done.left}, {"strengths", done.strengths}, {"gains_db", done.gains}};
  if (done.folded.empty()) context.control.warn("quantize: AWQ changes nothing: no operator in front can take its scales back");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  rescale_by_inputs(model, context);
  const Placement placement = place(model, context.options);
  passes::QdqPlan plan;
  const Specs spec(model.graph, context.options);
  const json& weights = context.options.at("weights");
  if (rounds_by_samples(weights, has_samples(context))) {
    const BiasShifts shifts = round_layers(model, placement.layers, spec, weights,
                                           context.options.at("bias_correction"), context, plan);
    for (const Layer& layer : placement.layers)
      if (const auto found = shifts.find(layer.name); found != shifts.end())
        add_to_bias(model.graph, layer, found->second);
  }
  for (const Layer& layer : placement.layers) {
    if (!plan.weights.count(layer.weight_name))
      plan.weights[layer.weight_name] = weight_params(*model.graph.constant(layer.weight.value),
                                                      layer.weight.output_axis, spec(layer));
    plan.nodes.push_back(layer.name);
  }
  passes::insert_qdq(model, plan);
  json skipped = json::array();
  for (const auto& [node, reason] : placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  context.record["quantized"] = {
      {"nodes", plan.nodes}, {"skipped", skipped}, {"rounding", rounding_name(weights, has_samples(context))}};
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
