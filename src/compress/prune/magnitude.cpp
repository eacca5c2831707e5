// prune/magnitude: zeros the weights of smallest magnitude, at once or along the cubic schedule while training
// (Han et al. 2015; Zhu & Gupta, To prune, or not to prune, 2017).
#include <algorithm>

#include "compress/prune/zeros.h"
#include "compress/targets.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<Option> list = pattern_options();
  for (const Option& option : std::vector<Option>{
           {"threshold", kFloat, "null", "instead of sparsity: zero the weights below this magnitude", {}, 0, 1e30},
           {"scope",
            kString,
            "\"layer\"",
            "rank the weights of each layer alone, or of all layers together",
            {"layer", "global"}},
           {"schedule",
            kString,
            "\"auto\"",
            "one-shot before training, or cubic during it (auto: cubic when there are epochs)",
            {"auto", "one-shot", "cubic"}},
           {"prune_until", kFloat, "0.5", "fraction of the steps after which the cubic schedule is done", {}, 0.001, 1},
           {"frequency", kInt, "0", "steps between two updates of the masks (0: about 200 updates in all)", {}, 0, 1e9},
       })
    list.push_back(option);
  for (Option option : target_options()) list.push_back(option);
  for (Option option : training_options()) {
    if (option.name == "epochs")
      option.fallback = "0", option.help = "passes over the training data (0: prune at once, no training)";
    if (option.name == "schedule") option.name = "lr_schedule";
    list.push_back(option);
  }
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json& options) { return options.at("epochs").get<double>() > 0; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

bool is_cubic(const json& options) {
  return options.at("schedule") == "cubic" ||
         (options.at("schedule") == "auto" && needs_gradients(options) && options.at("threshold").is_null());
}

void validate(const ir::Model& model, const StepContext& context) {
  const json& options = context.options;
  PruneRule rule = prune_rule(options);
  if (options.at("schedule") == "cubic" && !needs_gradients(options))
    throw Error(ErrorCode::kUsage, "prune.schedule", "cubic prunes while training", "epochs above 0", "0");
  if (rule.threshold && options.at("schedule") == "cubic")
    throw Error(ErrorCode::kUsage, "prune.threshold", "prunes at once", "schedule one-shot", "cubic");
  prune_targets(model, options);
  if (needs_gradients(options)) validate_training(model, context, "prune");
}

/// The cubic schedule over a trainer: every `frequency` steps the current weights are ranked again.
LoopHooks gradual_hooks(std::vector<PruneTarget>& targets, const PruneRule& rule, const json& options) {
  const double until = options.at("prune_until"), initial = rule.keep_zeros ? zero_fraction(targets) : 0;
  const std::int64_t given = options.at("frequency");
  LoopHooks hooks;
  hooks.on_step = [&targets, rule, until, initial, given](exec::Trainer& trainer, std::int64_t step,
                                                          std::int64_t total) {
    const std::int64_t last =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(until * static_cast<double>(total)), 0, total - 1);
    const std::int64_t frequency = given > 0 ? given : std::max<std::int64_t>(1, last / 200);
    if (step > last || (step != last && step % frequency != 0)) return;
    for (PruneTarget& target : targets) target.weight = trainer.parameter(target.name);
    double progress = last == 0 ? 1 : static_cast<double>(step) / static_cast<double>(last);
    std::vector<Tensor> masks = choose_masks(targets, rule, initial, progress);
    for (std::size_t t = 0; t < targets.size(); ++t) trainer.set_mask(targets[t].name, masks[t]);
  };
  return hooks;
}

/// After training the masks are what is zero: the trainer kept every masked weight at exactly zero.
void annotate_trained(ir::Model& model, std::vector<PruneTarget>& targets, const json& options) {
  for (PruneTarget& target : targets) model.graph.value(model.graph.find_value(target.name)).mask.reset();
  targets = prune_targets(model, options);
  std::vector<Tensor> masks;
  for (const PruneTarget& target : targets) {
    masks.push_back(mask_of_zeros(target.weight));
  }
  annotate_masks(model.graph, targets, masks);
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const PruneRule rule = prune_rule(options);
  std::vector<PruneTarget> targets = prune_targets(model, options);
  if (is_cubic(options)) {
    std::vector<PruneTarget> current = targets;
    train_model(model, context, gradual_hooks(current, rule, options), "prune");
    annotate_trained(model, targets, options);
  } else {
    annotate_masks(model.graph, targets, choose_masks(targets, rule, 0, 1));
    if (needs_gradients(options)) train_model(model, context, {}, "prune");
  }
  record_zeros(prune_targets(model, options), rule, context);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : target_layers(model.graph, options, "prune")) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& magnitude_pruning() {
  static const Method method = {"prune",
                                "magnitude",
                                "zeros the weights of smallest magnitude",
                                "Zhu & Gupta, To prune, or not to prune, 2017",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                false,
                                target_names};
  return method;
}

}  // namespace pare::compress
