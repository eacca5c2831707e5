// prune/magnitude: zeros the weights of smallest magnitude, at once or along the cubic schedule while training
// (Han et al. 2015; Zhu & Gupta, To prune, or not to prune, 2017).
#include <algorithm>
#include <cmath>
#include <set>

#include "compress/prune/selection.h"
#include "compress/targets.h"
#include "compress/training/train_model.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<Option> list = {
      {"pattern", kString, "\"unstructured\"",
       "unstructured, or q:64 (8:64 keeps 8 weights in each group of 64 input channels)"},
      {"sparsity",
       kFloat,
       "null",
       "fraction of zeros (null: what the pattern fixes, 0.5 for unstructured)",
       {},
       0,
       0.9999},
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
  };
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

[[noreturn]] void conflict(const std::string& key, const std::string& problem, const std::string& expected = {},
                           const std::string& got = {}) {
  throw Error(ErrorCode::kUsage, "prune." + key, problem, expected, got);
}

PruneRule rule_of(const json& options) {
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse(options.at("pattern").get<std::string>());
  rule.global = options.at("scope") == "global";
  rule.keep_zeros = options.at("keep_zeros");
  const json &sparsity = options.at("sparsity"), &threshold = options.at("threshold");
  if (auto fixed = rule.pattern.fixed_sparsity()) {
    if (!sparsity.is_null() && std::fabs(sparsity.get<double>() - *fixed) > 1e-6)
      conflict("sparsity", "the pattern " + rule.pattern.to_string() + " fixes the sparsity", json(*fixed).dump(),
               sparsity.dump());
    if (!threshold.is_null()) conflict("threshold", "cannot be combined with the pattern " + rule.pattern.to_string());
    if (rule.global)
      conflict("scope", "the pattern " + rule.pattern.to_string() + " fixes every group", "layer", "global");
    rule.sparsity = *fixed;
    return rule;
  }
  if (!sparsity.is_null() && !threshold.is_null()) conflict("threshold", "give either sparsity or threshold");
  if (!threshold.is_null()) rule.threshold = threshold.get<double>();
  rule.sparsity = sparsity.is_null() ? 0.5 : sparsity.get<double>();
  return rule;
}

std::vector<PruneTarget> targets_of(const ir::Model& model, const json& options) {
  std::vector<PruneTarget> targets;
  std::set<ir::ValueId> seen;
  for (const Layer& layer : target_layers(model.graph, options, "prune")) {
    const ir::Value& value = model.graph.value(layer.weight.value);
    if (!seen.insert(layer.weight.value).second) continue;  // shared by two layers: one mask
    if (!value.constant || value.constant->dtype() != DType::kFloat32)
      throw Error(ErrorCode::kUnsupported, "layer '" + layer.name + "'", "its weight cannot be pruned", "float32",
                  std::string(name(value.constant ? value.constant->dtype() : value.dtype)));
    targets.push_back({value.name, *value.constant, layer.weight.view});
  }
  return targets;
}

void validate(const ir::Model& model, const StepContext& context) {
  const json& options = context.options;
  PruneRule rule = rule_of(options);
  if (options.at("schedule") == "cubic" && !needs_gradients(options))
    conflict("schedule", "cubic prunes while training", "epochs above 0", "0");
  if (rule.threshold && options.at("schedule") == "cubic")
    conflict("threshold", "prunes at once", "schedule one-shot", "cubic");
  targets_of(model, options);
  if (needs_gradients(options)) validate_training(model, context, "prune");
}

/// Sets masks on the initializers, and the weights under them to zero.
void annotate(ir::Graph& graph, std::span<const PruneTarget> targets, const std::vector<Tensor>& masks) {
  for (std::size_t t = 0; t < targets.size(); ++t) {
    ir::Value& value = graph.value(graph.find_value(targets[t].name));
    auto weights = value.constant->mutable_data<float>();
    auto mask = masks[t].data<std::uint8_t>();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (mask[i] == 0) weights[i] = 0;
    value.mask = masks[t];
  }
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
  targets = targets_of(model, options);
  std::vector<Tensor> masks;
  for (const PruneTarget& target : targets) {
    Tensor mask(DType::kUint8, target.weight.dims());
    auto bits = mask.mutable_data<std::uint8_t>();
    auto weights = target.weight.data<float>();
    std::transform(weights.begin(), weights.end(), bits.begin(),
                   [](float weight) { return std::uint8_t{weight != 0}; });
    masks.push_back(std::move(mask));
  }
  annotate(model.graph, targets, masks);
}

void record_result(const std::vector<PruneTarget>& targets, const PruneRule& rule, StepContext& context) {
  json layers = json::array();
  for (const PruneTarget& target : targets) {
    double zeros = ir::sparsity(target.weight);
    layers.push_back({{"weight", target.name}, {"sparsity", zeros}});
    if (rule.pattern.kind == ir::SparsityPattern::Kind::kBalanced &&
        !ir::has_pattern(target.weight, target.view, rule.pattern))
      throw Error(ErrorCode::kInternal, target.name,
                  "the pruned weight does not have the pattern " + rule.pattern.to_string());
  }
  context.record["pruned"] = {
      {"pattern", rule.pattern.to_string()}, {"sparsity", zero_fraction(targets)}, {"layers", layers}};
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const PruneRule rule = rule_of(options);
  std::vector<PruneTarget> targets = targets_of(model, options);
  if (is_cubic(options)) {
    std::vector<PruneTarget> current = targets;
    train_model(model, context, gradual_hooks(current, rule, options), "prune");
    annotate_trained(model, targets, options);
  } else {
    annotate(model.graph, targets, choose_masks(targets, rule, 0, 1));
    if (needs_gradients(options)) train_model(model, context, {}, "prune");
  }
  record_result(targets_of(model, options), rule, context);
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
