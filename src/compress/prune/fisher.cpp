// prune/fisher: saliency w²·F/2 with the empirical Fisher information F = E[g²], sample by sample.
#include "compress/prune/samples.h"
#include "compress/prune/scored.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = scored_options(
      "\"auto\"", {{"samples", kInt, "512", "training samples whose loss is differentiated; 0: all", {}, 0, 1e9}});
  return table;
}

void validate(const ir::Model& model, const StepContext& context) {
  validate_scored(model, context);
  require_loss(context, "prune.method", "fisher");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  score_by_gradients(targets, model, 1, context, [](double weight, double gradient) { return weight * weight * gradient * gradient; });
  prune_by_scores(model, targets, context);
}

}  // namespace

const Method& fisher_pruning() {
  static const Method method = {
      "prune",
      "fisher",
      "zeros the weights without which the loss grows least to second order: w² times the diagonal of the Fisher information",
      "LeCun, Denker & Solla, Optimal Brain Damage, 1990; Fisher diagonal: Theis et al., 2018",
      options,
      [](const json&) { return true; },
      [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); },
      validate,
      apply,
      true,
      false,
      scored_layers};
  return method;
}

}  // namespace pare::compress
