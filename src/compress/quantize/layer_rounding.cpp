#include "compress/quantize/layer_rounding.h"

#include "compress/layerwise/hessian.h"
#include "compress/quantize/clip.h"
#include "compress/quantize/round_layer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

RoundingOptions rounding_of(const nlohmann::json& weights) {
  RoundingOptions how;
  how.method = rounding_name(weights, true);
  how.gptq.act_order = weights.at("act_order");
  how.adaround.iterations = weights.at("iterations");
  how.refine = weights.at("refine");
  how.fit_scales = weights.at("fit_scales");
  return how;
}

}  // namespace

std::vector<Option> rounding_options(std::string_view automatic) {
  using enum OptionType;
  return {{"rounding", kString, "\"auto\"", automatic, {"auto", "nearest", "gptq", "adaround"}},
          {"act_order", kBool, "true", "gptq rounds the inputs of most energy first"},
          {"refine", kInt, "2",
           "sweeps over the layer's weights after gptq or adaround, each weight in turn to the best level for the output "
           "while the others stay (QuantEase, Behdin et al. 2023)",
           {}, 0, 1000},
          {"iterations", kInt, "1000", "of adaround for each layer", {}, 1, 1e6},
          {"fit_scales", kBool, "true",
           "before and after each sweep, scales become those by which the layer answers most like in float"},
          {"clip", kString, "\"energy\"",
           "ranges of weights shrink to the least squared error: energy: of the weights, each by what its input carries; "
           "output: of the output of each group of up to 256 inputs, as AWQ searches (Lin et al. 2023)",
           {"energy", "output"}},
          {"sequential", kBool, "true",
           "gptq and adaround: each layer sees its inputs as the rounded layers before it make them, a pass over the samples for "
           "each, instead of all as the original makes them"},
          {"samples", kInt, "2048", "training samples that gptq and adaround look at; 0: all", {}, 0, 1e12}};
}

bool rounds_by_samples(const nlohmann::json& weights, bool automatic) {
  const auto rounding = weights.at("rounding").get<std::string>();
  return rounding == "auto" ? automatic : rounding != "nearest";
}

std::string rounding_name(const nlohmann::json& weights, bool automatic) {
  const auto rounding = weights.at("rounding").get<std::string>();
  if (rounding != "auto") return rounding;
  return automatic ? "gptq" : "nearest";
}

void require_rounding_data(const nlohmann::json& weights, const StepContext& context) {
  if (rounds_by_samples(weights, false) && (!context.dataset.train || context.dataset.train->size() == 0))
    throw Error(ErrorCode::kUsage, "quantize.weights.rounding",
                rounding_name(weights, false) + " needs a train split in the data file");
}

void round_layers(const ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec,
                  const nlohmann::json& weights, const StepContext& context, passes::QdqPlan& plan) {
  const RoundingOptions how = rounding_of(weights);
  const auto round = [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
    context.control.check_cancelled();
    const Tensor& weight = *model.graph.constant(layer.weight.value);
    if (plan.integers.count(layer.weight_name)) return;  // shared: rounded by what the first sees
    passes::QuantParams params =
        weights.at("clip") == "output"
            ? clipped_by_output(weight, layer.weight, spec(layer), hessian, groups)
            : weight_params(weight, layer.weight.output_axis, spec(layer), input_energy(layer.weight.view, hessian, groups));
    RoundedWeight rounded = round_layer(weight, layer.weight.view, std::move(params), hessian, groups, how,
                                        [&] { context.control.check_cancelled(); });
    plan.integers[layer.weight_name] = std::move(rounded.integers);
    plan.weights[layer.weight_name] = std::move(rounded.params);
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
        {how.method, static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
  }
}

}  // namespace pare::compress
