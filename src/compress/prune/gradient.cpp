// prune/gradient: sensitivity E[|∂L/∂w|] of the loss to a weight, over mini-batches.
#include <cmath>

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
  require_loss(context, "prune.method", "gradient");
}

void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  score_by_gradients(targets, state, GradientFormula{32, [](double, double gradient) { return std::fabs(gradient); }});
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  prune_by({score, kCostlyUpdates}, model, context);
}

}  // namespace

const Method& gradient_pruning() {
  static const Method method = {
      "prune",
      "gradient",
      "zeros the weights that the loss is least sensitive to: |g|, the mean over mini-batches",
      "Mozer & Smolensky, Skeletonization: A Technique for Trimming the Fat from a Network via Relevance Assessment, "
      "1989",
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
