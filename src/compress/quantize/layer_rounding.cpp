#include "compress/quantize/layer_rounding.h"

#include <algorithm>

#include "compress/layerwise/hessian.h"
#include "compress/quantize/bias_correction.h"
#include "compress/quantize/brecq.h"
#include "compress/quantize/clip.h"
#include "compress/quantize/round_layer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

RoundingOptions rounding_of(const nlohmann::json& weights) {
  RoundingOptions how;
  how.method = rounding_name(weights, true) == "adaround" ? "adaround" : "gptq";
  how.gptq.act_order = weights.at("act_order");
  how.adaround.iterations = weights.at("iterations");
  how.refine = weights.at("refine");
  how.fit_scales = weights.at("fit_scales").get<bool>() && weights.value("scales", "free") == "free";
  return how;
}

/// BRECQ's part, where it is asked for; the record says what came of each block.
void round_by_blocks(const ir::Model& model, const std::vector<Layer>& layers, const nlohmann::json& weights,
                     const StepContext& context, passes::QdqPlan& plan) {
  constexpr std::int64_t kMost = 1024;  // as the authors; a block's inputs and outputs of all of them are held
  if (!rounding_needs_gradients(weights)) return;
  const auto asked = weights.at("samples").get<std::int64_t>();
  nlohmann::json told = nlohmann::json::array();
  for (const BlockRounding& block :
       round_blocks(model, layers, asked == 0 ? kMost : std::min(asked, kMost),
                    {.iterations = weights.at("iterations").get<int>()}, weights.at("fisher"), context, plan)) {
    told.push_back({{"output", block.output},
                    {"layers", block.layers},
                    {"error", block.error},
                    {"before", block.before},
                    {"after", block.after}});
    if (!block.why_squared.empty()) told.back()["why_squared"] = block.why_squared;
    if (!block.why_not.empty()) told.back()["why_not"] = block.why_not;
  }
  context.record["blocks"] = std::move(told);
}

/// Rounds layer after layer into a plan.
struct LayerRounder {
  const ir::Model& model;
  const SpecOf& spec;
  const nlohmann::json& weights;
  bool correct_bias;
  const StepContext& context;
  passes::QdqPlan& plan;
  BiasShifts shifts;
  RoundingOptions how = rounding_of(weights);
  std::map<std::string, std::vector<std::int32_t>> levels = {};  ///< by weight: one that is shared is rounded by what the first sees

  void round(const Layer& layer, const LayerInputs& inputs) {
    context.control.check_cancelled();
    const Tensor& weight = *model.graph.constant(layer.weight.value);
    if (std::ranges::all_of(inputs.sums, [](double sum) { return sum == 0; }) &&
        std::ranges::all_of(inputs.hessian, [](double sum) { return sum == 0; }))
      return tell_nearest(context, layer, "its input is 0 in all samples");
    const bool centered = correct_bias && has_bias(model.graph, layer);
    if (!levels.count(layer.weight_name)) {
      const std::vector<double> own = centered ? centered_hessian(inputs) : std::vector<double>{};
      const std::span<const double> hessian = centered ? std::span<const double>(own) : inputs.hessian;
      RoundedWeight rounded =
          round_layer(weight, layer.weight.view, params_of(layer, weight, hessian, inputs.groups), hessian,
                      inputs.groups, how, [&] { context.control.check_cancelled(); });
      plan.integers[layer.weight_name] = passes::pack_integers(rounded.levels, weight.dims(), rounded.params.dtype);
      plan.weights[layer.weight_name] = std::move(rounded.params);
      levels[layer.weight_name] = std::move(rounded.levels);
    }
    if (centered) shifts[layer.name] = shift_of(layer, weight, inputs);
  }

  passes::QuantParams params_of(const Layer& layer, const Tensor& weight, std::span<const double> hessian,
                                std::int64_t groups) const {
    if (weights.at("clip") == "output") return clipped_by_output(weight, layer.weight, spec(layer), hessian, groups);
    return weight_params(weight, layer.weight.output_axis, spec(layer),
                         input_energy(layer.weight.view, hessian, groups));
  }

  std::vector<double> shift_of(const Layer& layer, const Tensor& weight, const LayerInputs& inputs) const {
    const passes::QuantParams& params = plan.weights.at(layer.weight_name);
    const passes::ParamMap map(params, weight.dims());
    const RoundedLayer rounded{weight.data<float>(), layer.weight.view, params, map, inputs.hessian, inputs.groups};
    std::vector<double> shift = output_shifts(rounded, levels.at(layer.weight_name), inputs.sums);
    for (double& one : shift) one /= -static_cast<double>(inputs.rows);
    return shift;
  }
};

}  // namespace

std::vector<Option> rounding_options(std::string_view automatic, bool sequential) {
  using enum OptionType;
  return {{"rounding", kString, "\"auto\"", automatic, {"auto", "nearest", "gptq", "adaround", "brecq"}},
          {"act_order", kBool, "true", "gptq rounds the inputs of most energy first"},
          {"refine", kInt, "2",
           "sweeps over the layer's weights after gptq or adaround, each weight in turn to the best level for the output "
           "while the others stay (QuantEase, Behdin et al. 2023)",
           {}, 0, 1000},
          {"iterations", kInt, "1000", "of adaround for each layer, of brecq for each block", {}, 1, 1e6},
          {"fisher", kBool, "true",
           "brecq: errors of a block count by the squared gradient of the loss (of labels, else of the model's own answers) "
           "where they are made"},
          {"fit_scales", kBool, "true",
           "before and after each sweep, scales become those by which the layer answers most like in float"},
          {"clip", kString, "\"energy\"",
           "ranges of weights shrink to the least squared error: energy: of the weights, each by what its input carries; "
           "output: of the output of each group of up to 256 inputs, as AWQ searches (Lin et al. 2023)",
           {"energy", "output"}},
          {"sequential", kBool, sequential ? "true" : "false",
           "gptq and adaround: each layer sees its inputs as the rounded layers before it make them, a pass over the samples for "
           "each, instead of all as the original makes them"},
          {"samples", kInt, "2048", "training samples that gptq and adaround look at; 0: all", {}, 0, 1e12}};
}

bool rounding_needs_gradients(const nlohmann::json& weights) { return weights.at("rounding") == "brecq"; }

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

void tell_nearest(const StepContext& context, const Layer& layer, const std::string& reason) {
  nlohmann::json& told = context.record["rounded_to_nearest"];
  if (std::ranges::any_of(told, [&](const auto& one) { return one.at("node") == layer.name; })) return;
  told.push_back({{"node", layer.name}, {"reason", reason}});
  context.control.warn("quantize: '" + layer.name + "' is rounded to the nearest: " + reason);
}

BiasShifts round_layers(const ir::Model& model, const std::vector<Layer>& layers, const SpecOf& spec,
                        const nlohmann::json& weights, bool correct_bias, const StepContext& context,
                        passes::QdqPlan& plan) {
  LayerRounder rounder{model, spec, weights, correct_bias && !rounding_needs_gradients(weights), context, plan, {}};
  const auto round = [&](const Layer& layer, const LayerInputs& inputs) { rounder.round(layer, inputs); };
  for (const Layer& layer : layers)
    if (const std::string why = why_no_hessian(model.graph, layer); !why.empty()) tell_nearest(context, layer, why);
  const auto samples = weights.at("samples").get<std::int64_t>();
  if (!weights.at("sequential").get<bool>()) {
    visit_inputs(model, layers, samples, context, round);
    round_by_blocks(model, layers, weights, context, plan);
    return std::move(rounder.shifts);
  }
  ir::Model seen = model;
  const auto runs = runs_of(model.graph, layers);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    visit_inputs(seen, runs[i], samples, context, round);
    for (const Layer& layer : runs[i]) {
      if (const auto found = plan.integers.find(layer.weight_name); found != plan.integers.end())
        seen.graph.set_constant(layer.weight.value,
                                passes::dequantize_tensor(found->second, plan.weights.at(layer.weight_name)));
      if (const auto found = rounder.shifts.find(layer.name); found != rounder.shifts.end())
        add_to_bias(seen.graph, layer, found->second);
    }
    context.control.report({rounder.how.method, static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()),
                            "inputs", {}, -1});
  }
  round_by_blocks(model, layers, weights, context, plan);
  return std::move(rounder.shifts);
}

}  // namespace pare::compress
