// quantize/qat: the weights are trained under the rounding that they will ship with, and the scales with them. The
// model learns from its own float outputs unless told otherwise, so that no labels are needed.
//
//   place (placement.h) → scales of least squared error → FakeQuantize → train (training/) → integers → QDQ
#include "compress/quantize/common.h"
#include "compress/quantize/constant_inputs.h"
#include "compress/quantize/format.h"
#include "compress/quantize/qat/student.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<Option> list = quantizer_options();
  list.push_back({"freeze",
                  kFloat,
                  "1",
                  "share of the steps after which scales and offsets stay; 1: they always learn",
                  {},
                  0,
                  1});
  list.push_back({"keep_clusters", kBool, "true",
                  "weights that take at most 256 values, in the tensor or each output channel, go on to share them: the "
                  "values learn, who takes which stays"});
  list.push_back({"keep_best", kBool, "false", "end with the epoch that was best on val"});
  for (Option option : training_options()) {
    if (option.name == "distill") {
      option.fallback = "{}";
      option.help = "learn from the original model's outputs (Hinton et al. 2015); alpha 0: from labels alone";
    }
    list.push_back(std::move(option));
  }
  for (const Option& option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return true; }

std::vector<StatisticsRequest> needs(const ir::Model& model, const json& options) {
  if (rounds_weights_only(options)) return {};
  return {quantizer_request(model, options)};
}

void validate(const ir::Model& model, const StepContext& context) {
  require_not_quantized(model.graph);
  validate_quantizers(model, context.options);
  validate_training(model, context, "quantize");
  if (context.options.at("keep_best").get<bool>() && !context.dataset.val)
    throw Error(ErrorCode::kUsage, "quantize.keep_best", "the data has no val split");
  const std::int64_t opset = opset_of_quantizers(context.options);
  require_opset(model, opset, opset == 21 ? "int4 weights and groups need" : "QuantizeLinear by channel needs",
                opset == 21 ? "weights of other bits, edges included, without groups (opset 13)" : "");
}

/// The gradients of a cluster's weights meet in its value as their sum. SGD takes steps by as much shorter as clusters hold
/// weights on average, so that these move as far as they would alone; AdamW's steps do not depend on it.
exec::UpdateRule centroid_rule(const Clusters& clusters, const json& options) {
  const double rate = options.at("optimizer") == "sgd" ? 1 / clusters.mean_size() : 1;
  return {.rate = rate, .decay = options.at("weight_decay").get<double>() / rate};
}

/// Scales stay after their share of the steps; clipping points of PACT decay.
LoopHooks hooks_of(const QatStudent& student, const json& options) {
  const json& given = options.at("activations").at("decay");
  const double decay = (given.is_null() ? options.at("weight_decay") : given).get<double>();
  const double freeze = options.at("freeze");
  LoopHooks hooks;
  hooks.on_start = [&student, &options, decay](exec::Trainer& trainer, std::int64_t) {
    for (const auto& [weight, shared] : student.shared())
      trainer.set_update_rule(shared.centroids, centroid_rule(shared.clusters, options));
    for (const std::string& name : student.fixed()) trainer.set_update_rule(name, {.rate = 0, .decay = {}});
    for (const std::string& name : student.clipping_points())
      trainer.set_update_rule(name, {.rate = 1, .decay = decay});
  };
  hooks.on_step = [&student, freeze](exec::Trainer& trainer, std::int64_t step, std::int64_t total) {
    if (static_cast<double>(step) < freeze * static_cast<double>(total)) return;
    for (const std::string& name : student.learned()) trainer.set_update_rule(name, {.rate = 0, .decay = {}});
  };
  return hooks;
}

json told(const QatPlan& plan, const QatStudent& student, const passes::QdqPlan& integers, const Statistics& statistics, int raised,
          StepContext& context) {
  json skipped = json::array(), weights = json::object(), activations = json::object();
  for (const auto& [node, reason] : plan.placement.skipped) {
    skipped.push_back({{"node", node}, {"reason", reason}});
    context.control.warn("quantize: '" + node + "' stays float: " + reason);
  }
  for (const auto& [weight, quantizer] : plan.weights)
    weights[weight] = {{"bits", quantizer.bits},
                       {"quantizer", quantizer.power_of_two ? "power-of-two" : std::string(name(quantizer.how.scheme))}};
  for (const auto& [weight, shared] : student.shared())
    weights[weight]["clusters"] = {{"values", shared.clusters.centroids.size()},
                                   {"by", shared.clusters.by_channel ? "channel" : "tensor"}};
  for (std::size_t g = 0; g < plan.activations.size(); ++g) {
    const Quantizer& quantizer = plan.activations[g];
    for (const std::string& value : plan.placement.groups[g]) {
      const auto found = integers.activations.find(value);
      if (found == integers.activations.end()) continue;
      activations[value] = {{"scale", found->second.scale[0]},
                            {"zero_point", found->second.zero_point[0]},
                            {"type", std::string(name(found->second.dtype))},
                            {"bits", quantizer.bits},
                            {"quantizer", quantizer.offset ? "lsq+" : std::string(name(quantizer.how.scheme))}};
    }
  }
  return {{"nodes", integers.nodes},
          {"skipped", skipped},
          {"weights", weights},
          {"activations", activations},
          {"samples", statistics.samples()},
          {"scales_raised_for_bias", raised}};
}

void apply(ir::Model& model, const Statistics& statistics, StepContext& context) {
  // Before a FakeQuantize hides the weights.
  if (context.options.at("keep_zeros").get<bool>()) mask_zeros(model);
  json options = context.options;
  const std::map<std::string, std::string> constant =
      rounds_weights_only(options) ? std::map<std::string, std::string>()
                                   : constant_inputs(model, quantizer_placement(model, options).layers, statistics,
                                                     needs(model, options), context);
  for (const auto& [layer, reason] : constant) options["exclude"].push_back(layer);
  QatPlan plan = plan_quantizers(model, statistics, options);
  for (const auto& [layer, reason] : constant) plan.placement.skipped.push_back({layer, reason});
  const ir::Model floats = model;
  QatStudent student(floats, plan, context.options.at("keep_clusters"));
  train_model(student.model, context, hooks_of(student, context.options), "quantize");
  int raised = 0;
  const passes::QdqPlan integers = student.integers(raised);
  model = student.floats();
  passes::insert_qdq(model, integers);
  context.record["quantized"] = told(plan, student, integers, statistics, raised, context);
  write_format(model, context);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : quantizer_placement(model, options).layers) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& quantization_aware_training() {
  static const Method method = {"quantize",
                                "qat",
                                "weights of 1 to 8 and activations of 2 to 8 bits, trained under their rounding",
                                "Esser et al., Learned Step Size Quantization, 2020",
                                options,
                                needs_gradients,
                                needs,
                                validate,
                                apply,
                                true,
                                true,
                                target_names};
  return method;
}

}  // namespace pare::compress
