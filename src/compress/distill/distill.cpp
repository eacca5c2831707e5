// distill: trains the model to give what another, usually larger one gives (Hinton, Vinyals & Dean 2015). Student and
// teacher are two files; they must take the same inputs and give outputs of the same shape. Works without labels.
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "compress/method.h"
#include "compress/training/features.h"
#include "compress/training/initialize.h"
#include "compress/training/train_model.h"
#include "pare/error.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"teacher", kString, "null", "the model to learn from"},
        {"temperature", kFloat, "4", "softens the outputs", {}, 0.01, 1000},
        {"alpha",
         kFloat,
         "null",
         "weight of the teacher against the labels; 0.9 if not given, or 1 without labels",
         {},
         1e-6,
         1},
        {"from_scratch", kBool, "false", "draw new weights (He et al. 2015) and train them"},
        {"keep_best", kBool, "false", "end with the epoch that was best on val"},
    };
    for (Option& option : feature_options()) list.push_back(std::move(option));
    for (const Option& option : training_options())
      if (option.name != "distill") list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json&) { return true; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

std::vector<std::string> files(const json& options) {
  return options.at("teacher").is_null() ? std::vector<std::string>()
                                         : std::vector<std::string>{options.at("teacher").get<std::string>()};
}

/// As the training options have it.
json with_group(const json& options) {
  json out = options;
  for (const char* key : {"temperature", "alpha", "features", "feature_weight"}) out["distill"][key] = options.at(key);
  return out;
}

StepContext with_options(const StepContext& context, const json& options) {
  return {options,           context.original, context.dataset,     context.backend, context.trainer,
          context.execution, context.control,  context.checkpoints, context.record,  context.store};
}

std::string type_of(const ir::Value& value) {
  return "'" + value.name + "' " + std::string(name(value.dtype)) + " " + ir::to_string(value.shape);
}

[[noreturn]] void refuse(const std::string& what, const std::string& student, const std::string& teacher) {
  throw Error(ErrorCode::kBadInput, "distill.teacher", "the teacher " + what, "as the student: " + student,
              "teacher: " + teacher);
}

/// The teacher's inputs in the student's order; a single input may have another name.
void match_inputs(const ir::Graph& student, ir::Graph& teacher) {
  const auto names = [](const ir::Graph& graph) {
    std::vector<std::string> out;
    for (ir::ValueId id : graph.inputs) out.push_back(graph.value(id).name);
    return out;
  };
  const std::vector<std::string> wanted = names(student), given = names(teacher);
  if (wanted.size() != given.size()) refuse("takes other inputs", join(wanted, ", "), join(given, ", "));
  std::vector<ir::ValueId> ordered;
  for (ir::ValueId id : student.inputs) {
    const ir::Value& mine = student.value(id);
    ir::ValueId theirs = wanted.size() == 1 ? teacher.inputs[0] : teacher.find_value(mine.name);
    if (theirs == ir::kNoValue || !teacher.is_input(theirs))
      refuse("takes other inputs", join(wanted, ", "), join(given, ", "));
    if (!same_kind(mine, teacher.value(theirs)))
      refuse("takes an input of another type", type_of(mine), type_of(teacher.value(theirs)));
    if (teacher.value(theirs).name != mine.name) teacher.rename(theirs, mine.name);
    ordered.push_back(theirs);
  }
  teacher.inputs = std::move(ordered);
}

ir::Model load_teacher(const ir::Model& student, const StepContext& context) {
  if (context.options.at("teacher").is_null())
    throw Error(ErrorCode::kUsage, "distill.teacher", "is missing", "the path of a model");
  if (!context.store) throw Error(ErrorCode::kInternal, "distill", "no model store was given");
  ir::Model teacher = context.store->load(context.options.at("teacher").get<std::string>());
  passes::simplify(teacher);
  match_inputs(student.graph, teacher.graph);
  // The trainer compares first outputs.
  const ir::Value &mine = student.graph.value(student.graph.outputs.at(0)),
                  &theirs = teacher.graph.value(teacher.graph.outputs.at(0));
  if (!same_kind(mine, theirs)) refuse("has another output", type_of(mine), type_of(theirs));
  return teacher;
}

void validate(const ir::Model& model, const StepContext& context) {
  const json options = with_group(context.options);
  const ir::Model teacher = load_teacher(model, context);
  validate_training(model, with_options(context, options), "distill", &teacher);
  if (options.at("epochs").get<double>() <= 0)
    throw Error(ErrorCode::kUsage, "distill.epochs", "nothing to do", "more than 0", "0");
  if (options.at("keep_best").get<bool>() && !context.dataset.val)
    throw Error(ErrorCode::kUsage, "distill.keep_best", "the data has no val split");
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const ir::Model teacher = load_teacher(model, context);
  const json options = with_group(context.options);
  StepContext inner = with_options(context, options);
  if (options.at("from_scratch").get<bool>()) {
    if (options.at("keep_zeros").get<bool>()) mask_zeros(model);
    initialize_weights(model, context.execution.seed);
  }
  const std::string path = context.options.at("teacher").get<std::string>();
  context.record["teacher"] = {{"name", teacher.graph.name}, {"hash", hash_hex(read_file(path))}};
  train_model(model, inner, {}, "distill", &teacher);
}

}  // namespace

const Method& distillation() {
  static const Method method = {"distill",
                                "",
                                "trains the model to give what another one gives",
                                "Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                false,
                                nullptr,
                                files};
  return method;
}

}  // namespace pare::compress
