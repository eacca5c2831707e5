// prune/fisher: saliency w²·F/2 with the empirical Fisher information F = E[g²], sample by sample.
#include "compress/prune/gradient_scores.h"
#include "compress/prune/samples.h"
#include "compress/prune/scored.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  static const std::vector<Option> table = scored_options("\"auto\"", true, {gradient_samples()});
  return table;
}

void validate(const ir::Model& model, const StepContext& context) {
  validate_scored(model, context);
  require_loss(context, "prune.method", "fisher");
}

void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  score_by_gradients(targets, state, GradientFormula{1, [](double weight, double gradient) {
                                                       return weight * weight * gradient * gradient / 2;
                                                     }});
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  prune_by({score, kCostlyUpdates}, model, context);
}

}  // namespace

const Method& fisher_pruning() {
  static const Method method = {
      "prune",
      "fisher",
      "zeros the weights without which the loss grows least to second order: w² times the diagonal of the Fisher "
      "information",
      "LeCun, Denker & Solla, Optimal Brain Damage, 1990; Fisher diagonal: Theis et al., 2018",
      options,
      [](const json&) { return true; },
      [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); },
      validate,
      apply,
      true,
      false,
      scored_layers,
      rewind_files};
  return method;
}

}  // namespace pare::compress
