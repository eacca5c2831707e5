// prune/snip: connection sensitivity |w·∂L/∂w| of the mean loss over the samples, as a share of the sum over all
// weights.
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
  require_loss(context, "prune.method", "snip");
}

void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  score_by_gradients(
      targets, state,
      GradientFormula{32, [](double weight, double gradient) { return weight * gradient; }, /*normalized=*/true});
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  prune_by({score, kCostlyUpdates}, model, context);
}

}  // namespace

const Method& snip_pruning() {
  static const Method method = {
      "prune",
      "snip",
      "zeros the weights without which the mean loss changes least to first order: |w·g| of all samples together",
      "Lee, Ajanthan & Torr, SNIP: Single-shot Network Pruning based on Connection Sensitivity, 2019",
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
