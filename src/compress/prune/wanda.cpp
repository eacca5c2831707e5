// prune/wanda: zeros the weights of least |w|·‖x‖, among those of the same output, without an update of the others.
// At once layers are pruned in graph order; each sees inputs as the layers before it, already pruned, make them.
#include <algorithm>
#include <cmath>

#include "compress/layerwise/hessian.h"
#include "compress/prune/layer_inputs.h"
#include "compress/prune/scored.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = scored_options(
      "\"output\"", true,
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

/// |w|·‖x‖ of the targets among these layers, by the inputs that the model makes now.
void score_layers(const ir::Model& model, const std::vector<Layer>& layers, std::span<PruneTarget> targets,
                  const StepContext& context) {
  visit_energies(
      model, layers, context.options.at("samples"), context, [&](const Layer& layer, const std::vector<float>& energy) {
        const auto target = std::find_if(targets.begin(), targets.end(),
                                         [&](const PruneTarget& one) { return one.name == layer.weight_name; });
        if (target == targets.end()) return;
        const auto weights = target->weight.data<float>();
        target->scores.resize(weights.size());
        for (std::size_t i = 0; i < weights.size(); ++i)
          target->scores[i] = std::fabs(weights[i]) * std::sqrt(energy[i]);
      });
}

/// Of all layers at once, each behind the others as they are now.
void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  ir::Model now = state.model;
  if (state.trainer) state.trainer->write_back(now);
  std::vector<Layer> layers = distinct_layers(now, state.context.options);
  std::erase_if(layers, [&](const Layer& layer) { return !why_no_hessian(now.graph, layer).empty(); });
  score_layers(now, layers, targets, state.context);
}

void prune_in_order(ir::Model& model, const std::vector<Layer>& layers, StepContext& context) {
  const PruneRule rule = prune_rule(context.options);
  const ir::Model original = model;
  const auto runs = runs_of(model.graph, layers);
  std::vector<PruneTarget> all;
  std::vector<Tensor> masks;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::vector<PruneTarget> targets = targets_of(model.graph, runs[i]);
    score_layers(model, runs[i], targets, context);
    const std::vector<Tensor> chosen = choose_masks(targets, rule, 0, 1);
    annotate_masks(model.graph, targets, chosen);
    all.insert(all.end(), targets.begin(), targets.end());
    masks.insert(masks.end(), chosen.begin(), chosen.end());
    context.control.report(
        {"prune", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
  }
  prune_at_once(original, model, all, masks, context);
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const std::vector<Layer> layers = layers_with_inputs(model, context);
  if (schedule_of(context.options) == "one-shot") return prune_in_order(model, layers, context);
  prune_gradually({score, kCostlyUpdates}, model, targets_of(model.graph, layers), context);
}

}  // namespace

const Method& wanda_pruning() {
  static const Method method = zeroing_method(
      {"wanda", "zeros the weights of least magnitude times the norm of their inputs, without labels",
       "Sun, Liu, Bair & Kolter, A Simple and Effective Pruning Approach for Large Language Models, 2024", options,
       scored_trains, validate, apply, rewind_files});
  return method;
}

}  // namespace pare::compress
