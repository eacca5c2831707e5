// prune/random: zeros weights by chance: the control that every criterion has to beat.
#include "base/rng.h"
#include "compress/prune/scored.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  static const std::vector<Option> table = scored_options("\"layer\"", false);
  return table;
}

/// The same chance for a weight each time, so that masks only grow.
void score(std::vector<PruneTarget>& targets, const ScoringState& state) {
  for (std::size_t t = 0; t < targets.size(); ++t) {
    Rng rng(state.context.execution.seed, kRngMethod, t);
    targets[t].scores.resize(static_cast<std::size_t>(targets[t].weight.numel()));
    for (float& score : targets[t].scores) score = static_cast<float>(rng.uniform());
  }
}

void apply(ir::Model& model, const Statistics&, StepContext& context) { prune_by({score}, model, context); }

}  // namespace

const Method& random_pruning() {
  static const Method method =
      zeroing_method({"random", "zeros weights by chance: the control that the others have to beat",
                      "Gale, Elsen & Hooker, The State of Sparsity in Deep Neural Networks, 2019", options,
                      scored_trains, validate_scored, apply, rewind_files});
  return method;
}

}  // namespace pare::compress
