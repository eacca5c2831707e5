// prune/random: zeros weights by chance: the control that every criterion has to beat.
#include "base/rng.h"
#include "compress/prune/scored.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  static const std::vector<Option> table = scored_options("\"layer\"");
  return table;
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  for (std::size_t t = 0; t < targets.size(); ++t) {
    Rng rng(context.execution.seed, kRngMethod, t);
    targets[t].scores.resize(static_cast<std::size_t>(targets[t].weight.numel()));
    for (float& score : targets[t].scores) score = static_cast<float>(rng.uniform());
  }
  prune_by_scores(model, targets, context);
}

}  // namespace

const Method& random_pruning() {
  static const Method method = {
      "prune",
      "random",
      "zeros weights by chance: the control that the others have to beat",
      "Gale, Elsen & Hooker, The State of Sparsity in Deep Neural Networks, 2019",
      options,
      [](const json&) { return false; },
      [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); },
      validate_scored,
      apply,
      true,
      false,
      scored_layers};
  return method;
}

}  // namespace pare::compress
