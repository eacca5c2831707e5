// prune/wanda: zeros the weights of least |w|·‖x‖, among those of the same output, without an update of the others.
// Layers are pruned in graph order; each sees inputs as the layers before it, already pruned, make them.
#include <cmath>

#include "compress/layerwise/hessian.h"
#include "compress/prune/layer_inputs.h"
#include "compress/prune/reestimate.h"
#include "compress/prune/scored.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = scored_options(
      "\"output\"",
      {{"samples", kInt, "512", "training samples that the layers' inputs are taken from; 0: all", {}, 0, 1e9}});
  return table;
}

void validate(const ir::Model& model, const StepContext& context) {
  validate_scored(model, context);
  if (prune_rule(context.options).scope == PruneRule::Scope::kGlobal)
    throw Error(ErrorCode::kUsage, "prune.scope",
                "each layer waits for those before it, so that they cannot be ranked together", "output or layer",
                context.options.at("scope").get<std::string>());
  require_layer_inputs(model, context, "wanda");
}

/// |w|·‖x_column‖; `hessian`: Σ x xᵀ, [groups, columns, columns].
std::vector<float> scores_of(const Tensor& weight, const ir::WeightView& view, std::span<const double> hessian,
                             std::int64_t groups) {
  std::vector<float> scores = input_energy(view, hessian, groups);
  const auto weights = weight.data<float>();
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = std::fabs(weights[i]) * std::sqrt(scores[i]);
  return scores;
}

/// The scored targets of one run of layers that see the same inputs.
std::vector<PruneTarget> scored_run(const ir::Model& model, const std::vector<Layer>& layers,
                                    const StepContext& context) {
  std::vector<PruneTarget> targets;
  visit_hessians(model, layers, context.options.at("samples"), context,
                 [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
                   const Tensor& weight = *model.graph.constant(layer.weight.value);
                   targets.push_back({layer.weight_name, weight, layer.weight.view,
                                      scores_of(weight, layer.weight.view, hessian, groups)});
                 });
  return targets;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const PruneRule rule = prune_rule(context.options);
  const ir::Model original = model;
  const std::vector<Layer> layers = layers_with_inputs(model, context);
  const auto runs = runs_of(model.graph, layers);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::vector<PruneTarget> targets = scored_run(model, runs[i], context);
    annotate_masks(model.graph, targets, choose_masks(targets, rule, 0, 1));
    context.control.report(
        {"prune", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
  }
  reestimate(original, model, weights_of(targets_of(model.graph, layers)), context);
  record_zeros(targets_of(model.graph, layers), rule, context);
}

}  // namespace

const Method& wanda_pruning() {
  static const Method method = {
      "prune",
      "wanda",
      "zeros the weights of least magnitude times the norm of their inputs, without labels",
      "Sun, Liu, Bair & Kolter, A Simple and Effective Pruning Approach for Large Language Models, 2024",
      options,
      [](const json&) { return false; },
      [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); },
      validate,
      apply,
      true,
      false,
      scored_layers};
  return method;
}

}  // namespace pare::compress
