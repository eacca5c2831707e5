// finetune: trains the weights, optionally taught by the original model (Hinton, Vinyals & Dean 2015).
#include "compress/method.h"
#include "compress/training/initialize.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

std::span<const Option> options() {
  static const std::vector<Option> table = [] {
    std::vector<Option> list(training_options().begin(), training_options().end());
    list.push_back({"from_scratch", OptionType::kBool, "false", "draw new weights (He et al. 2015) and train them"});
    list.push_back({"keep_best", OptionType::kBool, "false", "end with the epoch that was best on val"});
    return list;
  }();
  return table;
}

bool needs_gradients(const nlohmann::json&) { return true; }
std::vector<StatisticsRequest> needs(const ir::Model&, const nlohmann::json&) { return {}; }

void validate(const ir::Model& model, const StepContext& context) {
  validate_training(model, context, "finetune");
  if (context.options.at("epochs").get<double>() <= 0)
    throw Error(ErrorCode::kUsage, "finetune.epochs", "nothing to do", "more than 0", "0");
  if (context.options.at("from_scratch").get<bool>() && context.options.at("distill").is_null() &&
      !context.dataset.train->labelled() && !context.dataset.train->regression())
    throw Error(ErrorCode::kUsage, "finetune.from_scratch",
                "training from scratch needs labels or targets, or distill to be asked for");
  if (context.options.at("keep_best").get<bool>() && !context.dataset.val)
    throw Error(ErrorCode::kUsage, "finetune.keep_best", "the data has no val split");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  if (context.options.at("from_scratch").get<bool>()) {
    if (context.options.at("keep_zeros").get<bool>()) mask_zeros(model);  // before the old weights are gone
    initialize_weights(model, context.execution.seed);
  }
  train_model(model, context, {}, "finetune");
}

}  // namespace

const Method& finetuning() {
  static const Method method = {"finetune",
                                "",
                                "trains the weights, optionally taught by the original model",
                                "Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply};
  return method;
}

}  // namespace pare::compress
