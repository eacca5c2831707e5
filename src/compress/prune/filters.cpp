// prune/filters: removes the channels that matter least by the chosen importance, with everything that belongs to them
// in the layers around. Channels that residual sums, depthwise convolutions, attention and the like couple go together
// (ir/groups.h). BatchNorm is folded before, so a norm counts its scale.
#include <algorithm>
#include <map>
#include <set>

#include "base/vector_width.h"
#include "compress/method.h"
#include "compress/prune/cost_share.h"
#include "compress/prune/importance.h"
#include "compress/prune/reconstruct.h"
#include "compress/prune/samples.h"
#include "compress/prune/unit_budget.h"
#include "compress/prune/unit_selection.h"
#include "compress/prune/zeros.h"
#include "compress/targets.h"
#include "ir/groups.h"
#include "pare/error.h"
#include "passes/prepare_groups.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<std::string_view> importance_names() {
  std::vector<std::string_view> names;
  for (const Importance* importance : importances()) names.push_back(importance->name);
  return names;
}

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"importance", kString, "\"l1\"", "what a channel's worth is judged by", importance_names()},
        {"ratio", kFloat, "null", "share of the channels to remove; 0.3 when no budget is given", {}, 0, 0.99},
        {"threshold",
         kFloat,
         "null",
         "instead of a ratio: remove what scores less than this times its layer's mean",
         {},
         0,
         1e6},
        {"norms",
         kBool,
         "false",
         "channels that LayerNormalization normalizes over may go too: the hidden and the embedding width of a transformer; "
         "its statistics are then those of what stays"},
        {"scope",
         kString,
         "\"layer\"",
         "the share of each coupled group (layer), or of all ranked together (global)",
         {"layer", "global"}},
        {"most",
         kFloat,
         "null",
         "largest share that a group may lose with scope global or a threshold; 0.8 if not given",
         {},
         0,
         0.99},
        {"round_to",
         kString,
         "null",
         "keep a multiple of this many channels; auto: of as many float32 numbers as a vector of this machine holds "
         "(16 with AVX-512, 8 with AVX2), as its kernels like them; 8 if not given, auto with a latency budget"},
        {"samples", kInt, "512", "training samples that activations and gradients are measured on, and reconstruct works on", {}, 1, 1e9},
    };
    for (Option option : budget_options()) list.push_back(option);
    for (Option option : reconstruct_options()) list.push_back(option);
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json& options) {
  return needs_loss(find_importance(options.at("importance").get<std::string>()));
}
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

/// Groups of the model; those that the step must not touch have `blocked` set. `original`: the model before the first
/// step.
std::vector<ir::ChannelGroup> target_groups(const ir::Model& model, const ir::Model& original, const json& options) {
  const std::vector<Layer> layers = find_layers(model.graph);
  const auto include = options.at("include").get<std::vector<std::string>>();
  const auto exclude = options.at("exclude").get<std::vector<std::string>>();
  std::vector<ir::ChannelGroup> groups = ir::channel_groups(model, {.through_norms = options.at("norms")});
  std::vector<ir::NodeId> others;  // recurrent layers and transposed convolutions have names too
  for (const ir::ChannelGroup& group : groups) others.insert(others.end(), group.layers.begin(), group.layers.end());
  const std::set<ir::NodeId> in = select_nodes(model.graph, layers, others, include, "prune.include");
  const std::set<ir::NodeId> out = select_nodes(model.graph, layers, others, exclude, "prune.exclude");
  for (ir::ChannelGroup& group : groups) {
    const auto names = [&](const std::set<ir::NodeId>& nodes) {
      return std::any_of(group.layers.begin(), group.layers.end(), [&](ir::NodeId id) { return nodes.count(id) > 0; });
    };
    const bool floats = std::all_of(group.weights.begin(), group.weights.end(), [&](ir::ValueId weight) {
      return model.graph.constant(weight)->dtype() == DType::kFloat32;
    });
    if (!include.empty() && !names(in)) group.blocked = "it is not included";
    if (names(out)) group.blocked = "one of its layers is excluded";
    if (!floats && group.blocked.empty()) group.blocked = "its weights are not float32";
  }
  if (find_importance(options.at("importance").get<std::string>()).data == Importance::Data::kNorms)
    block_unscaled(model, original, groups);
  return groups;
}

void require_some(const std::vector<ir::ChannelGroup>& groups) {
  if (groups.empty())
    throw Error(ErrorCode::kUnsupported, "prune", "the model has no layer with channels",
                "Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU or RNN");
  for (const ir::ChannelGroup& group : groups)
    if (group.blocked.empty()) return;
  throw Error(ErrorCode::kUnsupported, "prune",
              "no channel can be removed; '" + groups[0].name + "': " + groups[0].blocked);
}

/// Channels are kept in multiples of this.
std::int64_t rounding_of(const json& options) {
  const json& given = options.at("round_to");
  constexpr std::int64_t kDefault = 8, kLargest = 1024;
  const bool timed = !options.at("latency").is_null();
  const std::string text = !given.is_null() ? given.get<std::string>() : timed ? "auto" : std::to_string(kDefault);
  if (text == "auto") return vector_floats();
  const bool digits = !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c >= '0' && c <= '9';
  });
  if (!digits || std::stoll(text) < 1 || std::stoll(text) > kLargest)
    throw Error(ErrorCode::kUsage, "prune.round_to", "is no number of channels",
                "auto or an integer from 1 to " + std::to_string(kLargest), text);
  return std::stoll(text);
}

/// One way to say how much goes, and nothing that would have no effect on it.
void require_one_amount(const json& options) {
  budget_of(options, std::vector<std::string>{"ratio", "threshold"});
  const bool threshold = !options.at("threshold").is_null(), global = options.at("scope") == "global";
  if (threshold && global)
    throw Error(ErrorCode::kUsage, "prune.scope", "contradicts prune.threshold, which judges each channel by itself",
                "one of them", "both");
  if (!options.at("most").is_null() && !threshold && !global)
    throw Error(ErrorCode::kUsage, "prune.most", "has no effect where every group loses the same share",
                "scope global or a threshold", "scope layer");
  rounding_of(options);
}

void require_data(const StepContext& context) {
  const Importance& importance = find_importance(context.options.at("importance").get<std::string>());
  if (!needs_samples(importance)) return;
  if (needs_loss(importance)) return require_loss(context, "prune.importance", std::string(importance.name));
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "prune.importance",
                "'" + std::string(importance.name) + "' needs a train split in the data file");
}

void validate(const ir::Model& model, const StepContext& context) {
  require_one_amount(context.options);
  require_data(context);
  require_reconstruction_data(context);
  ir::Model joined = model;
  passes::prepare_groups(joined);
  require_some(target_groups(joined, context.original, context.options));
}

UnitRule rule_of(const json& options) {
  UnitRule rule;
  rule.global = options.at("scope") == "global";
  if (!options.at("most").is_null()) rule.most = options.at("most");
  rule.round_to = rounding_of(options);
  rule.ratio = options.at("ratio").is_null() ? 0.3 : options.at("ratio").get<double>();
  if (!options.at("threshold").is_null()) rule.threshold = options.at("threshold");
  return rule;
}

/// The model without what the rule removes.
ir::Model pruned(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups, const RemovedUnits& removed) {
  ir::Model out = model;
  ir::remove_units(out, groups, removed);
  return out;
}

/// The rule that meets the budget, and what the record tells of it. Many ratios come to the same channels when these are
/// rounded: each set is measured once.
UnitRule within_budget(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                       const std::vector<std::vector<double>>& scores, const UnitRule& rule, const std::string& of,
                       StepContext& context) {
  CostShare share(model, of, context);
  std::map<RemovedUnits, double> known;
  const BudgetResult result = meet_budget(rule, share.wanted(), of == "macs" ? 12 : 7, [&](const UnitRule& one) {
    const RemovedUnits removed = select_units(groups, scores, one);
    const auto found = known.find(removed);
    return found != known.end() ? found->second : known[removed] = share(pruned(model, groups, removed));
  });
  context.record["budget"] = share.record(result.cost);
  context.record["budget"]["ratio"] = result.rule.ratio;
  return result.rule;
}

json group_json(const ir::Graph& graph, const ir::ChannelGroup& group, const std::vector<std::int64_t>& removed) {
  json layers = json::array();
  for (ir::NodeId id : group.layers) layers.push_back(graph.node(id).name);
  return {{"group", group.name},
          {"layers", layers},
          {"channels", ir::channels_of(group)},
          {"kept", ir::channels_of(group, removed)},
          {"reason", !group.blocked.empty() ? json(group.blocked)
                     : removed.empty()      ? json("rounding keeps all of its channels")
                                            : json(nullptr)}};
}

/// Empty for what is blocked.
std::vector<std::vector<double>> score_groups(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                                              const StepContext& context) {
  const Importance& importance = find_importance(context.options.at("importance").get<std::string>());
  const MeasuresOfLayers measures =
      measure_units(model, groups, importance.data, context.options.at("samples"), context);
  std::vector<std::vector<double>> scores;
  for (const ir::ChannelGroup& group : groups)
    scores.push_back(group.blocked.empty()
                         ? score_units(model.graph, group, importance, measures, context.execution.seed)
                         : std::vector<double>());
  return scores;
}

json histogram_of(const std::vector<std::vector<double>>& scores, const RemovedUnits& removed) {
  std::vector<double> all;
  std::vector<bool> kept;
  for (std::size_t g = 0; g < scores.size(); ++g) {
    const std::size_t first = all.size();
    all.insert(all.end(), scores[g].begin(), scores[g].end());
    kept.resize(all.size(), true);
    for (std::int64_t unit : removed[g]) kept[first + static_cast<std::size_t>(unit)] = false;
  }
  return importance_histogram(all, kept);
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const std::vector<passes::VectorCopy> copies = passes::prepare_groups(model);
  const std::vector<ir::ChannelGroup> groups = target_groups(model, context.original, context.options);
  require_some(groups);
  const std::vector<std::vector<double>> scores = score_groups(model, groups, context);
  UnitRule rule = rule_of(context.options);
  if (const auto budget = budget_of(context.options))
    rule = within_budget(model, groups, scores, rule, *budget, context);
  const RemovedUnits removed = select_units(groups, scores, rule);
  json entries = json::array();
  std::int64_t before = 0, after = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    entries.push_back(group_json(model.graph, groups[g], removed[g]));
    before += entries.back().at("channels").get<std::int64_t>();
    after += entries.back().at("kept").get<std::int64_t>();
  }
  const ir::Model original = model;
  ir::remove_units(model, groups, removed);
  reconstruct(original, model, groups, removed, context);
  passes::share_vectors(model, copies);
  context.record["importance"] = histogram_of(scores, removed);
  context.record["filters"] = {{"channels_before", before}, {"channels_after", after}, {"groups", entries}};
  if (before == after) context.record["notes"].push_back("no channel was removed; the record says why for each group");
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  ir::Model joined = model;
  passes::prepare_groups(joined);
  for (const ir::ChannelGroup& group : target_groups(joined, model, options))
    if (group.blocked.empty())
      for (ir::NodeId id : group.layers) names.push_back(joined.graph.node(id).name);
  return names;
}

}  // namespace

const Method& filter_pruning() {
  static const Method method = {
      "prune",
      "filters",
      "removes the channels that matter least, everywhere",
      "Li et al., Pruning Filters for Efficient ConvNets, 2017; each importance names its own",
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
