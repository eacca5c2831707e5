// What the methods that rank single weights by gradients have in common: all but name, words and formula.
#pragma once

#include <string>

#include "compress/prune/gradient_scores.h"
#include "compress/prune/samples.h"
#include "compress/prune/scored.h"

namespace pare::compress {

struct GradientCriterion {
  std::string_view name, summary, paper;
  GradientFormula formula;
};

/// The row of a criterion, a constant of the method's file.
template <const GradientCriterion& criterion>
const Method& gradient_method() {
  static const Method method = zeroing_method({
      criterion.name,
      criterion.summary,
      criterion.paper,
      []() -> std::span<const Option> {
        static const std::vector<Option> table = scored_options("\"auto\"", true, {gradient_samples()});
        return table;
      },
      [](const nlohmann::json&) { return true; },
      [](const ir::Model& model, const StepContext& context) {
        validate_scored(model, context);
        require_loss(context, "prune.method", std::string(criterion.name));
      },
      [](ir::Model& model, const Statistics&, StepContext& context) {
        const auto score = [](std::vector<PruneTarget>& targets, const ScoringState& state) {
          score_by_gradients(targets, state, criterion.formula);
        };
        prune_by({score, kCostlyUpdates}, model, context);
      },
      rewind_files});
  return method;
}

}  // namespace pare::compress
