#include "compress/prune/learned.h"

#include "compress/targets.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {

std::vector<Option> learned_options(const std::vector<Option>& further) {
  std::vector<Option> list = further;
  for (const Option& option : target_options()) list.push_back(option);
  for (const Option& option : pruning_training()) list.push_back(option);
  return list;
}

void validate_learned(const ir::Model& model, const StepContext& context) {
  prune_targets(model, context.options);
  if (context.options.at("epochs").get<double>() <= 0)
    throw Error(ErrorCode::kUsage, "prune.epochs", "the masks are learned while training", "more than 0", "0");
  validate_training(model, context, "prune");
}

void mask_learned_zeros(ir::Model& model, const nlohmann::json& options) {
  if (options.at("keep_zeros").get<bool>()) mask_zeros(model);
}

void train_learned(ir::Model& model, MaskStudent& student, const LoopHooks& hooks, StepContext& context) {
  train_model(student.model, context, hooks, "prune");
  ir::Model masked = student.masked();
  mask_trained(masked.graph, prune_targets(masked, context.options));
  model = std::move(masked);
}

}  // namespace pare::compress
