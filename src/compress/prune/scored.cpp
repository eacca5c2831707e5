#include "compress/prune/scored.h"

#include "compress/prune/reestimate.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {

std::vector<Option> scored_options(std::string_view scope, bool costly, const std::vector<Option>& further) {
  std::vector<Option> list = pattern_options();
  for (const Option& option : ranking_options(
           {scope,
            "rank the weights of each layer, of each output channel or of all layers together (auto: all, but of "
            "N:M, which fixes every group)",
            "largest share that a layer may lose with scope global or a threshold; all of it if not given",
            {"auto", "layer", "output", "global"}}))
    list.push_back(option);
  list.insert(list.end(), further.begin(), further.end());
  for (const Option& option : reestimate_options()) list.push_back(option);
  for (const Option& option : gradual_options(costly)) list.push_back(option);
  for (const Option& option : target_options()) list.push_back(option);
  for (const Option& option : optional_training("passes over the training data (0: prune at once, no training)"))
    list.push_back(option);
  return list;
}

bool scored_trains(const nlohmann::json& options) { return options.at("epochs").get<double>() > 0; }

void prune_at_once(const ir::Model& original, ir::Model& model, const std::vector<PruneTarget>& targets,
                   const std::vector<Tensor>& masks, StepContext& context) {
  record_importance(targets, masks, context);
  annotate_masks(model.graph, targets, masks);
  reestimate(original, model, weights_of(targets), context);
  if (scored_trains(context.options)) train_model(model, context, {}, "prune");
  record_zeros(model.graph, refreshed(model.graph, targets), prune_rule(context.options), context);
}

void prune_gradually(const Criterion& criterion, ir::Model& model, const std::vector<PruneTarget>& targets,
                     StepContext& context) {
  const PruneRule rule = prune_rule(context.options);
  const ir::Model original = model;
  std::vector<PruneTarget> ranked = targets, current = targets;
  score_targets(criterion, ranked, rule, {original, nullptr, context});  // for the record: as they were before the step
  train_model(model, context, gradual_hooks(criterion, current, rule, original, context), "prune");
  mask_trained(model.graph, targets);
  record_importance(model.graph, ranked, context);
  record_zeros(model.graph, refreshed(model.graph, targets), rule, context);
}

void prune_by(const Criterion& criterion, ir::Model& model, StepContext& context) {
  std::vector<PruneTarget> targets = prune_targets(model, context.options);
  if (schedule_of(context.options) != "one-shot") return prune_gradually(criterion, model, targets, context);
  const PruneRule rule = prune_rule(context.options);
  score_targets(criterion, targets, rule, {model, nullptr, context});
  const std::vector<Tensor> masks = choose_masks(targets, rule, 0, 1);
  const ir::Model original = model;
  prune_at_once(original, model, targets, masks, context);
}

void validate_scored(const ir::Model& model, const StepContext& context) {
  const nlohmann::json& options = context.options;
  validate_schedule(options, prune_rule(options));
  prune_targets(model, options);
  require_reestimation_data(context);
  if (!options.at("reestimate").is_null() && schedule_of(options) != "one-shot")
    throw Error(ErrorCode::kUsage, "prune.reestimate", "is for weights that go at once", "schedule one-shot",
                schedule_of(options));
  if (scored_trains(options)) validate_training(model, context, "prune");
}

}  // namespace pare::compress
