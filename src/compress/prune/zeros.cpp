#include "compress/prune/zeros.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compress/training/loop.h"
#include "compress/weights.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

[[noreturn]] void conflict(const std::string& key, const std::string& problem, const std::string& expected = {},
                           const std::string& got = {}) {
  throw Error(ErrorCode::kUsage, "prune." + key, problem, expected, got);
}

}  // namespace

std::vector<Option> pattern_options() {
  using enum OptionType;
  return {
      {"pattern", kString, "\"unstructured\"",
       "unstructured, N:M (8:64 keeps 8 weights in each group of 64 input channels) or RxC (1x4: blocks of output by "
       "input channels go together)"},
      {"sparsity",
       kFloat,
       "null",
       "fraction of zeros (null: what an N:M pattern fixes, 0.5 for the others)",
       {},
       0,
       0.9999},
  };
}

std::vector<Option> pruning_training() {
  std::vector<Option> list(training_options().begin(), training_options().end());
  for (Option& option : list)
    if (option.name == "schedule") option.name = "lr_schedule";
  return list;
}

std::vector<Option> optional_training(std::string_view epochs_help) {
  std::vector<Option> list = pruning_training();
  for (Option& option : list)
    if (option.name == "epochs") option.fallback = "0", option.help = epochs_help;
  return list;
}

Method zeroing_method(const ZeroingMethod& own) {
  const auto needs = [](const ir::Model&, const json&) { return std::vector<StatisticsRequest>(); };
  return {"prune",
          own.name,
          own.summary,
          own.paper,
          own.options,
          own.needs_gradients,
          needs,
          own.validate,
          own.apply,
          /*needs_floats=*/true,
          /*makes_integers=*/false,
          layer_names,
          own.files};
}

std::vector<Option> ranking_options(const RankingWords& words) {
  using enum OptionType;
  return {{"threshold", kFloat, "null", "instead of sparsity: zero the weights that score less than this", {}, 0, 1e30},
          {"scope", kString, words.scope, words.scope_help, words.scopes},
          {"most", kFloat, "null", words.most_help, {}, 0, 1}};
}

namespace {

/// The cap on what one layer loses, which must leave room for what all lose.
double most_of(const json& most, const PruneRule& rule) {
  if (most.is_null()) return 1;
  const bool global = rule.scope == PruneRule::Scope::kGlobal;
  if (!global && !rule.threshold)
    conflict("most", "has no effect where every layer loses the same share", "scope global or a threshold",
             rule.scope == PruneRule::Scope::kOutput ? "scope output" : "scope layer");
  if (!rule.threshold && most.get<double>() < rule.sparsity)
    conflict("most", "is less than what all layers together are to lose", "at least " + json(rule.sparsity).dump(),
             most.dump());
  return most;
}

}  // namespace

PruneRule prune_rule(const json& options) {
  PruneRule rule;
  rule.pattern = ir::SparsityPattern::parse(options.at("pattern").get<std::string>());
  const std::string scope = options.value("scope", "layer");
  const bool all = scope == "global" || (scope == "auto" && !rule.pattern.fixed_sparsity());
  rule.scope = all                 ? PruneRule::Scope::kGlobal
               : scope == "output" ? PruneRule::Scope::kOutput
                                   : PruneRule::Scope::kLayer;
  rule.keep_zeros = options.at("keep_zeros");
  const json& sparsity = options.at("sparsity");
  const json threshold = options.value("threshold", json());
  if (auto fixed = rule.pattern.fixed_sparsity()) {
    if (!sparsity.is_null() && std::fabs(sparsity.get<double>() - *fixed) > 1e-6)
      conflict("sparsity", "the pattern " + rule.pattern.to_string() + " fixes the sparsity", json(*fixed).dump(),
               sparsity.dump());
    if (!threshold.is_null()) conflict("threshold", "cannot be combined with the pattern " + rule.pattern.to_string());
    if (rule.scope == PruneRule::Scope::kGlobal)
      conflict("scope", "the pattern " + rule.pattern.to_string() + " fixes every group", "layer", "global");
    rule.sparsity = *fixed;
    rule.most = most_of(options.value("most", json()), rule);
    return rule;
  }
  if (rule.scope == PruneRule::Scope::kOutput && rule.pattern.block_outputs > 1)
    conflict("scope", "blocks of several outputs are not ranked by output", "layer or global", "output");
  if (!sparsity.is_null() && !threshold.is_null()) conflict("threshold", "give either sparsity or threshold");
  if (!threshold.is_null()) rule.threshold = threshold.get<double>();
  rule.sparsity = sparsity.is_null() ? 0.5 : sparsity.get<double>();
  rule.most = most_of(options.value("most", json()), rule);
  return rule;
}

std::vector<Layer> distinct_layers(const ir::Model& model, const json& options) {
  std::vector<Layer> layers;
  std::set<ir::ValueId> seen;
  for (const Layer& layer : chosen_layers(model.graph, find_weights(model.graph), options, "prune"))
    if (seen.insert(layer.weight.value).second) layers.push_back(layer);
  return layers;
}

std::vector<std::string> layer_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : distinct_layers(model, options))
    if (names.empty() || names.back() != layer.name) names.push_back(layer.name);
  return names;
}

std::vector<PruneTarget> prune_targets(const ir::Model& model, const json& options) {
  std::vector<PruneTarget> targets;
  for (const Layer& layer : distinct_layers(model, options)) {
    const ir::Value& value = model.graph.value(layer.weight.value);
    if (!value.constant || value.constant->dtype() != DType::kFloat32)
      throw Error(ErrorCode::kUnsupported, "layer '" + layer.name + "'", "its weight cannot be pruned", "float32",
                  std::string(name(value.constant ? value.constant->dtype() : value.dtype)));
    targets.push_back({value.name, *value.constant, layer.weight.view});
  }
  return targets;
}

void annotate_masks(ir::Graph& graph, std::span<const PruneTarget> targets, const std::vector<Tensor>& masks) {
  for (std::size_t t = 0; t < targets.size(); ++t) {
    ir::Value& value = graph.value(graph.find_value(targets[t].name));
    auto weights = value.constant->mutable_data<float>();
    auto mask = masks[t].data<std::uint8_t>();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (mask[i] == 0) weights[i] = 0;
    value.mask = masks[t];
  }
}

std::vector<PruneTarget> refreshed(const ir::Graph& graph, std::vector<PruneTarget> targets) {
  for (PruneTarget& target : targets) target.weight = *graph.constant(graph.find_value(target.name));
  return targets;
}

void mask_trained(ir::Graph& graph, const std::vector<PruneTarget>& targets) {
  const std::vector<PruneTarget> trained = refreshed(graph, targets);
  std::vector<Tensor> masks;
  for (const PruneTarget& target : trained) masks.push_back(mask_of_zeros(target.weight));
  annotate_masks(graph, trained, masks);
}

Tensor mask_of_zeros(const Tensor& weight) {
  Tensor mask(DType::kUint8, weight.dims());
  auto bits = mask.mutable_data<std::uint8_t>();
  auto weights = weight.data<float>();
  std::transform(weights.begin(), weights.end(), bits.begin(), [](float w) { return std::uint8_t{w != 0}; });
  return mask;
}

json importance_histogram(std::span<const double> scores, const std::vector<bool>& kept) {
  constexpr std::size_t kBins = 20;
  const double high = scores.empty() ? 0 : *std::max_element(scores.begin(), scores.end());
  const double low = scores.empty() ? 0 : std::min(0.0, *std::min_element(scores.begin(), scores.end()));
  std::vector<std::int64_t> all(kBins, 0), stay(kBins, 0);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double place = high > low ? (scores[i] - low) / (high - low) * kBins : 0;
    const std::size_t bin = std::min(kBins - 1, static_cast<std::size_t>(place));
    ++all[bin];
    stay[bin] += kept[i] ? 1 : 0;
  }
  return {{"low", low}, {"high", high}, {"all", all}, {"kept", stay}};
}

void record_importance(std::span<const PruneTarget> targets, const std::vector<Tensor>& masks, StepContext& context) {
  std::vector<double> all;
  std::vector<bool> all_kept;
  json layers = json::array();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const auto weights = targets[t].weight.data<float>();
    const auto mask = masks[t].data<std::uint8_t>();
    std::vector<double> scores;
    std::vector<bool> kept;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      scores.push_back(targets[t].scores.empty() ? std::fabs(static_cast<double>(weights[i]))
                                                 : static_cast<double>(targets[t].scores[i]));
      kept.push_back(mask[i] != 0);
    }
    layers.push_back(importance_histogram(scores, kept));
    layers.back()["weight"] = targets[t].name;
    all.insert(all.end(), scores.begin(), scores.end());
    all_kept.insert(all_kept.end(), kept.begin(), kept.end());
  }
  context.record["importance"] = importance_histogram(all, all_kept);
  context.record["importance"]["layers"] = layers;
}

void record_importance(const ir::Graph& graph, std::span<const PruneTarget> targets, StepContext& context) {
  std::vector<Tensor> masks;
  for (const PruneTarget& target : targets)
    masks.push_back(mask_of_zeros(*graph.constant(graph.find_value(target.name))));
  record_importance(targets, masks, context);
}

void record_zeros(const ir::Graph& graph, const std::vector<PruneTarget>& targets, const PruneRule& rule,
                  StepContext& context) {
  for (const std::string& note : left_out(graph)) context.record["notes"].push_back(note);
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

}  // namespace pare::compress
