// prune/snip: connection sensitivity |w·∂L/∂w| of the mean loss over the samples, ranked over all layers.
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
  require_loss(context, "prune.method", "snip");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  score_by_gradients(targets, model, 32, context, [](double weight, double gradient) { return weight * gradient; });
  prune_by_scores(model, targets, context);
}

}  // namespace

const Method& snip_pruning() {
  static const Method method = {
      "prune",
      "snip",
      "zeros the weights without which the loss changes least to first order: |w·g|",
      "Lee, Ajanthan & Torr, SNIP: Single-shot Network Pruning based on Connection Sensitivity, 2019",
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
