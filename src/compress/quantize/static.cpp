// quantize/static: int8 weights and activations from ranges seen on calibration data, written as QuantizeLinear and
// DequantizeLinear pairs (Jacob et al. 2018; Wu et al. 2020).
#include <algorithm>

#include "base/text.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/common.h"
#include "compress/quantize/params.h"
#include "compress/quantize/placement.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<std::string_view> names;
  for (const Calibrator* calibrator : calibrators()) names.push_back(calibrator->name);
  std::vector<Option> list = {
      weights_option(),
      {"activations",
       kGroup,
       "{}",
       "how activations are computed",
       {},
       {},
       {},
       {{"bits", kInt, "8", "of an activation", {}, 1, 16},
        {"scheme",
         kString,
         "\"affine\"",
         "affine: uint8 with a zero point; symmetric: int8 around 0",
         {"affine", "symmetric"}},
        {"calibrator", kString, "\"min-max\"", "from what was seen to a range", names},
        {"percentile", kFloat, "99.99", "share of the values that the calibrator percentile keeps", {}, 50, 100},
        {"samples", kInt, "512", "training samples that are looked at; 0: all", {}, 0, 1e12}}},
  };
  for (Option option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return false; }

const Calibrator& calibrator_of(const json& options) {
  return find_calibrator(options.at("activations").at("calibrator").get<std::string>());
}

std::vector<StatisticsRequest> needs(const ir::Model& model, const json& options) {
  StatisticsRequest request{.kind = std::string(calibrator_of(options).statistics),
                            .samples = options.at("activations").at("samples")};
  for (const auto& group : place_integers(model.graph, options, "quantize").groups)
    request.values.insert(request.values.end(), group.begin(), group.end());
  return {request};
}

void validate(const ir::Model& model, const StepContext& context) {
  require_8_bits(context.options, "weights");
  require_8_bits(context.options, "activations");
  require_not_quantized(model.graph);
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "quantize", "calibration needs a train split in the data file");
  place_integers(model.graph, context.options, "quantize");
  ir::Model trial = model;
  passes::raise_opset(trial, 13);
}

Range group_range(const std::vector<std::string>& group, const Statistics& statistics, const json& options) {
  Range range;
  for (std::size_t i = 0; i < group.size(); ++i) {
    Range one = calibrator_of(options).range(statistics.of(group[i]), options.at("activations"));
    range = i == 0 ? one : Range{std::min(range.low, one.low), std::max(range.high, one.high)};
  }
  return range;
}

passes::QdqPlan make_plan(const ir::Model& model, const Placement& placement, const Statistics& statistics,
                          const json& options, int& raised) {
  passes::QdqPlan plan;
  const bool symmetric = options.at("activations").at("scheme") == "symmetric";
  const bool per_channel = options.at("weights").at("granularity") == "channel";
  for (const auto& group : placement.groups) {
    Range range = group_range(group, statistics, options);
    for (const std::string& value : group)
      plan.activations[value] = symmetric ? symmetric_params(range) : affine_params(range);
  }
  for (const Layer& layer : placement.layers) {
    const ir::Node& node = model.graph.node(layer.node);
    const Tensor& weight = *model.graph.value(layer.weight.value).constant;
    auto [params, first] = plan.weights.try_emplace(layer.weight_name);
    if (first) params->second = weight_params(weight, layer.weight.view, layer.weight.output_axis, per_channel);
    if (const Tensor* bias = node.is("MatMul") ? nullptr : model.graph.constant(node.input(2)))
      raised += raise_for_bias(params->second, plan.activations.at(model.graph.value(node.input(0)).name).scale[0],
                               bias->data<float>());
    plan.nodes.push_back(layer.name);
  }
  return plan;
}

void record_result(const Placement& placement, const passes::QdqPlan& plan, const Statistics& statistics, int raised,
                   StepContext& context) {
  json skipped = json::array(), activations = json::object();
  for (const auto& [node, reason] : placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  for (const auto& [value, params] : plan.activations)
    activations[value] = {
        {"scale", params.scale[0]}, {"zero_point", params.zero_point[0]}, {"type", std::string(name(params.dtype))}};
  context.record["quantized"] = {{"nodes", plan.nodes},
                                 {"skipped", skipped},
                                 {"activations", activations},
                                 {"samples", statistics.samples()},
                                 {"scales_raised_for_bias", raised}};
}

void apply(ir::Model& model, const Statistics& statistics, StepContext& context) {
  const Placement placement = place_integers(model.graph, context.options, "quantize");
  int raised = 0;
  const passes::QdqPlan plan = make_plan(model, placement, statistics, context.options, raised);
  passes::insert_qdq(model, plan);
  record_result(placement, plan, statistics, raised, context);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : place_integers(model.graph, options, "quantize").layers) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& static_quantization() {
  static const Method method = {"quantize",
                                "static",
                                "int8 weights and activations, calibrated on training data",
                                "Jacob et al., Quantization and Training of Neural Networks for Efficient "
                                "Integer-Arithmetic-Only Inference, 2018",
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
