#include "compress/training/train_model.h"

#include <algorithm>

#include "base/threads.h"
#include "compress/statistics.h"
#include "compress/training/features.h"
#include "compress/weights.h"
#include "ir/judged.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

bool has_answers(const StepContext& context) {
  return context.dataset.train->labelled() || context.dataset.train->regression();
}

/// Without labels or targets only the original model can teach: alpha 1.
exec::TrainerOptions resolved_options(const StepContext& context) {
  nlohmann::json options = context.options;
  if (!has_answers(context)) {
    if (options.at("distill").is_null()) options["distill"] = {{"temperature", 4.0}, {"alpha", 1.0}};
    options["distill"]["alpha"] = 1.0;
  }
  return trainer_options(options, resolve_threads(context.execution.threads), context.execution.seed);
}

/// Where the step is distill itself, the group's options are the step's.
std::string distill_subject(const std::string& step) { return step == "distill" ? step : step + ".distill"; }

std::vector<std::string> chosen_features(const ir::Model& model, const ir::Model* teacher, const StepContext& context,
                                         const std::string& subject) {
  const nlohmann::json& distill = context.options.at("distill");
  if (distill.is_null()) return {};
  return feature_names(model.graph, (teacher ? *teacher : context.original).graph, distill, distill_subject(subject));
}

void apply_masks(ir::Graph& graph) {
  for (ir::ValueId id : graph.values()) {
    ir::Value& value = graph.value(id);
    if (!value.mask || !value.constant) continue;
    auto mask = value.mask->data<std::uint8_t>();
    auto weights = value.constant->mutable_data<float>();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (mask[i] == 0) weights[i] = 0;
  }
}

void require_masks_kept(const ir::Graph& graph) {
  for (ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    if (!value.mask || !value.constant) continue;
    auto weights = value.constant->data<float>();
    auto mask = value.mask->data<std::uint8_t>();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (mask[i] == 0 && weights[i] != 0)
        throw Error(ErrorCode::kInternal, value.name, "training changed a masked weight");
  }
}

/// The trainer judges the first output: the chosen one, or a teacher's own where it has none of that name.
ir::Model judged_first(ir::Model model, const std::string& chosen) {
  std::vector<ir::ValueId>& outputs = model.graph.outputs;
  const auto named = std::find(outputs.begin(), outputs.end(), model.graph.find_value(chosen));
  const ir::ValueId judged = ir::judged_output(model.graph, named == outputs.end() ? "" : chosen);
  std::rotate(outputs.begin(), std::find(outputs.begin(), outputs.end(), judged), outputs.end());
  return model;
}

/// A model that takes batches of one size only is trained with those.
LoopOptions loop_options_for(const ir::Model& model, const StepContext& context) {
  LoopOptions options = loop_options(context.options);
  const std::int64_t fixed = fixed_batch(model);
  options.whole_batches = fixed > 0;
  if (fixed == 0 || fixed == options.batch_size) return options;
  options.batch_size = fixed;
  context.record["notes"].push_back("the model takes batches of " + std::to_string(fixed) +
                                    " samples only: trained with those");
  return options;
}

/// Whether classes are learnt from [N, classes], and smoothing only where there are classes.
void validate_task(const ir::Model& model, const StepContext& context, const std::string& subject) {
  const data::Split& train = *context.dataset.train;
  const ir::Value& output = model.graph.value(ir::judged_output(model.graph, context.dataset.output));
  if (train.labelled() && output.shape.ranked() && output.shape.rank() != 2)
    throw Error(ErrorCode::kUnsupported, "output '" + output.name + "'", "cannot learn class labels",
                "[batch, classes]", to_string(output.shape));
  if (train.regression() && context.options.at("label_smoothing").get<double>() > 0)
    throw Error(ErrorCode::kUsage, subject + ".label_smoothing", "the data has targets, not classes", "0",
                context.options.at("label_smoothing").dump());
}

}  // namespace

void mask_zeros(ir::Model& model) {
  for (const Layer& layer : find_weights(model.graph)) {
    ir::Value& value = model.graph.value(layer.weight.value);
    if (value.mask || !value.constant || value.constant->dtype() != DType::kFloat32) continue;
    double zeros = ir::sparsity(*value.constant);
    if (zeros == 0 || zeros == 1) continue;
    Tensor mask(DType::kUint8, value.constant->dims());
    auto out = mask.mutable_data<std::uint8_t>();
    auto weights = value.constant->data<float>();
    for (std::size_t i = 0; i < weights.size(); ++i) out[i] = weights[i] != 0;
    value.mask = std::move(mask);
  }
}

void validate_training(const ir::Model& model, const StepContext& context, const std::string& subject,
                       const ir::Model* teacher) {
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, subject, "training needs a train split in the data file");
  const auto& distill = context.options.at("distill");
  bool alpha_given = !distill.is_null() && !distill.at("alpha").is_null();
  if (!has_answers(context) && alpha_given && distill.at("alpha").get<double>() != 1)
    throw Error(ErrorCode::kUsage, distill_subject(subject) + ".alpha",
                "the training data has neither labels nor targets", "1", distill.at("alpha").dump());
  validate_task(model, context, subject);
  if (context.options.at("mixup").get<double>() > 0)
    for (ir::ValueId id : model.graph.inputs)
      if (const ir::Value& input = model.graph.value(id); input.dtype != DType::kFloat32)
        throw Error(ErrorCode::kUsage, subject + ".mixup", "cannot mix input '" + input.name + "'", "float32",
                    std::string(name(input.dtype)));
  chosen_features(model, teacher, context, subject);
  for (ir::NodeId id : model.graph.nodes())
    if (model.graph.node(id).is("QuantizeLinear"))
      throw Error(ErrorCode::kUnsupported, subject,
                  "the model is quantized already (node '" + model.graph.node(id).name +
                      "'); only float models can be trained");
}

void train_model(ir::Model& model, StepContext& context, const LoopHooks& hooks, const std::string& stage,
                 const ir::Model* teacher) {
  exec::TrainerOptions options = resolved_options(context);
  options.loss.features = chosen_features(model, teacher, context, stage);
  if (context.options.at("keep_zeros").get<bool>()) mask_zeros(model);
  apply_masks(model.graph);
  const bool distill = options.loss.alpha > 0;
  const std::string& output = context.dataset.output;
  const ir::Model student = judged_first(model, output);
  const ir::Model master = distill ? judged_first(teacher ? *teacher : context.original, output) : ir::Model();
  auto trainer = context.trainer().create(student, distill ? &master : nullptr, options);
  context.record["trainer"] = trainer->description();
  if (distill) context.record["distill"] = {{"temperature", options.loss.temperature}, {"alpha", options.loss.alpha}};
  if (!options.loss.features.empty()) {
    context.record["distill"]["features"] = options.loss.features;
    context.record["distill"]["feature_weight"] = options.loss.feature_weight;
  }
  context.record["curve"] = train(*trainer, context.dataset, loop_options_for(model, context), hooks,
                                  context.execution.seed, context.checkpoints, context.control, stage);
  trainer->write_back(model);
  require_masks_kept(model.graph);
}

}  // namespace pare::compress
