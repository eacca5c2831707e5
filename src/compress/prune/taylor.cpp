// prune/taylor: first-order Taylor expansion E[|w·∂L/∂w|] of the change of the loss, over mini-batches.
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
  require_loss(context, "prune.method", "taylor");
}

void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  score_by_gradients(targets, state,
                     GradientFormula{32, [](double weight, double gradient) { return std::fabs(weight * gradient); }});
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  prune_by({score, kCostlyUpdates}, model, context);
}

}  // namespace

const Method& taylor_pruning() {
  static const Method method = {"prune",
                                "taylor",
                                "zeros the weights without which the losses of mini-batches change least to first "
                                "order: |w·g|, the mean over them",
                                "Molchanov, Tyree, Karras, Aila & Kautz, Pruning Convolutional Neural Networks for "
                                "Resource Efficient Inference, 2017",
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
