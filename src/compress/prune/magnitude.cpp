// prune/magnitude: zeros the weights of smallest magnitude, at once or gradually while training (gradual.h).
#include "compress/prune/gradual.h"
#include "compress/prune/reestimate.h"
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
            "rank the weights of each layer, of each output channel or of all layers together",
            {"layer", "output", "global"}},
       })
    list.push_back(option);
  for (Option option : reestimate_options()) list.push_back(option);
  for (Option option : gradual_options()) list.push_back(option);
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

void validate(const ir::Model& model, const StepContext& context) {
  const json& options = context.options;
  validate_schedule(options, prune_rule(options));
  prune_targets(model, options);
  require_reestimation_data(context);
  if (!options.at("reestimate").is_null() && schedule_of(options) != "one-shot")
    throw Error(ErrorCode::kUsage, "prune.reestimate", "is for weights that go at once", "schedule one-shot",
                schedule_of(options));
  if (needs_gradients(options)) validate_training(model, context, "prune");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const PruneRule rule = prune_rule(options);
  const std::vector<PruneTarget> targets = prune_targets(model, options);
  if (schedule_of(options) != "one-shot") {
    std::vector<PruneTarget> current = targets;
    train_model(model, context, gradual_hooks(current, rule, context), "prune");
    mask_trained(model, options);
    record_importance(model, targets, context);  // magnitudes before the step
  } else {
    const std::vector<Tensor> masks = choose_masks(targets, rule, 0, 1);
    context.record["importance"] = importance_histogram(targets, masks);
    const ir::Model original = model;
    annotate_masks(model.graph, targets, masks);
    reestimate(original, model, weights_of(targets), context);
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
                                target_names,
                                rewind_files};
  return method;
}

}  // namespace pare::compress
