#include "compress/quantize/layer_rounding.h"

#include "compress/layerwise/hessian.h"
#include "compress/quantize/gptq.h"
#include "pare/error.h"

namespace pare::compress {

std::vector<Option> rounding_options(std::string_view automatic) {
  using enum OptionType;
  return {{"rounding", kString, "\"auto\"", automatic, {"auto", "nearest", "gptq"}},
          {"act_order", kBool, "true", "gptq rounds the inputs of most energy first"},
          {"refine", kInt, "2",
           "sweeps over the layer's weights after gptq, each weight in turn to the best level for the output while the "
           "others stay (QuantEase, Behdin et al. 2023)",
           {}, 0, 1000},
          {"sequential", kBool, "true",
           "gptq: each layer sees its inputs as the rounded layers before it make them, a pass over the samples for "
           "each, instead of all as the original makes them"},
          {"samples", kInt, "2048", "training samples that gptq looks at; 0: all", {}, 0, 1e12}};
}

void require_rounding_data(const nlohmann::json& weights, const StepContext& context) {
  if (weights.at("rounding") == "gptq" && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "quantize.weights.rounding", "gptq needs a train split in the data file");
}

void round_layers(const ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec,
                  const nlohmann::json& weights, const StepContext& context, passes::QdqPlan& plan) {
  const GptqOptions how = {.act_order = weights.at("act_order"), .refine = weights.at("refine")};
  const auto round = [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
    context.control.check_cancelled();
    const Tensor& weight = *model.graph.constant(layer.weight.value);
    if (plan.integers.count(layer.weight_name)) return;  // shared: rounded by what the first sees
    const passes::QuantParams params = weight_params(weight, layer.weight.output_axis, spec(layer),
                                                     input_energy(layer.weight.view, hessian, groups));
    plan.integers[layer.weight_name] = gptq(weight, layer.weight.view, params, hessian, groups, how);
    plan.weights[layer.weight_name] = params;
  };
  const auto samples = weights.at("samples").get<std::int64_t>();
  if (!weights.at("sequential").get<bool>()) return visit_hessians(model, layers, samples, context, round);
  ir::Model seen = model;
  const auto runs = runs_of(model.graph, layers);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    visit_hessians(seen, runs[i], samples, context, round);
    for (const Layer& layer : runs[i])
      if (const auto found = plan.integers.find(layer.weight_name); found != plan.integers.end())
        seen.graph.set_constant(layer.weight.value,
                                passes::dequantize_tensor(found->second, plan.weights.at(layer.weight_name)));
    context.control.report(
        {"gptq", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
  }
}

}  // namespace pare::compress
