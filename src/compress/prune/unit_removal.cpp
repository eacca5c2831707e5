#include "compress/prune/unit_removal.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/vector_width.h"
#include "compress/prune/cost_share.h"
#include "compress/prune/importance.h"
#include "compress/prune/reconstruct.h"
#include "compress/prune/sparsity_curve.h"
#include "compress/prune/unit_budget.h"
#include "compress/prune/zeros.h"
#include "compress/targets.h"
#include "pare/error.h"
#include "passes/prepare_groups.h"

namespace pare::compress {

using nlohmann::json;

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

std::int64_t rounding_of(const json& options) {
  const json& given = options.at("round_to");
  constexpr std::int64_t kDefault = 8, kLargest = 1024;
  const bool timed = !options.at("latency").is_null();
  const std::string text = !given.is_null() ? given.get<std::string>() : timed ? "auto" : std::to_string(kDefault);
  if (text == "auto") return vector_floats();
  const bool digits = !text.empty() && text.size() <= 4 &&
                      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::stoll(text) < 1 || std::stoll(text) > kLargest)
    throw Error(ErrorCode::kUsage, "prune.round_to", "is no number of channels",
                "auto or an integer from 1 to " + std::to_string(kLargest), text);
  return std::stoll(text);
}

namespace {

/// The model without what the rule removes.
ir::Model pruned(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups, const RemovedUnits& removed) {
  ir::Model out = model;
  ir::remove_units(out, groups, removed);
  return out;
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

}  // namespace

UnitRemoval::UnitRemoval(const ir::Model& before, std::int64_t rounds, const StepContext& context)
    : before_(before), rounds_(rounds), options_(context.options) {
  ir::Model prepared = before;
  passes::prepare_groups(prepared);
  for (const ir::ChannelGroup& group : target_groups(prepared, context.original, options_))
    units_[group.name] = group.units;
}

UnitRule UnitRemoval::rule_for(const std::vector<ir::ChannelGroup>& groups, double progress) const {
  UnitRule rule;
  rule.global = options_.at("scope") == "global";
  if (!options_.at("most").is_null()) rule.most = options_.at("most");
  rule.round_to = rounding_of(options_);
  const double ratio = options_.at("ratio").is_null() ? 0.3 : options_.at("ratio").get<double>();
  rule.ratio = exponential_sparsity(0, ratio, progress);
  if (!options_.at("threshold").is_null()) rule.threshold = options_.at("threshold");
  for (const ir::ChannelGroup& group : groups) {
    const auto before = units_.find(group.name);
    rule.whole.push_back(before != units_.end() ? before->second : group.units);
  }
  return rule;
}

/// The rule that meets the budget, and what the record tells of it. Many ratios come to the same channels when these
/// are rounded: each set is measured once.
UnitRule UnitRemoval::within_budget(const ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                                    const std::vector<std::vector<double>>& scores, UnitRule rule,
                                    const std::string& of, double progress, const StepContext& context) const {
  CostShare share(before_, of, context);
  std::map<RemovedUnits, double> known;
  const double wanted = std::pow(share.wanted(), progress);
  const BudgetResult result = meet_budget(rule, wanted, of == "macs" ? 12 : 7, [&](const UnitRule& one) {
    const RemovedUnits removed = select_units(groups, scores, one);
    const auto found = known.find(removed);
    return found != known.end() ? found->second : known[removed] = share(pruned(model, groups, removed));
  });
  context.record["budget"] = share.record(result.cost);
  context.record["budget"]["ratio"] = result.rule.ratio;
  return result.rule;
}

void UnitRemoval::remove(ir::Model& model, std::int64_t round, const StepContext& context) const {
  const std::vector<passes::VectorCopy> copies = passes::prepare_groups(model);
  const std::vector<ir::ChannelGroup> groups = target_groups(model, context.original, options_);
  require_some(groups);
  const std::vector<std::vector<double>> scores = score_groups(model, groups, context);
  const double progress = static_cast<double>(round) / static_cast<double>(rounds_);
  UnitRule rule = rule_for(groups, progress);
  if (const auto budget = budget_of(options_))
    rule = within_budget(model, groups, scores, rule, *budget, progress, context);
  const RemovedUnits removed = select_units(groups, scores, rule);
  json entries = json::array();
  std::int64_t before = 0, after = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    entries.push_back(group_json(model.graph, groups[g], removed[g]));
    before += entries.back().at("channels").get<std::int64_t>();
    after += entries.back().at("kept").get<std::int64_t>();
  }
  const ir::Model whole = model;
  ir::remove_units(model, groups, removed);
  reconstruct(whole, model, groups, removed, context);
  passes::share_vectors(model, copies);
  context.record["importance"] = histogram_of(scores, removed);
  context.record["filters"] = {{"channels_before", before}, {"channels_after", after}, {"groups", entries}};
}

}  // namespace pare::compress
