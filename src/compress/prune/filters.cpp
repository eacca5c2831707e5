// prune/filters: removes the channels that matter least by the chosen importance, with everything that belongs to them
// in the layers around. Channels that residual sums, depthwise convolutions, attention and the like couple go together
// (ir/groups.h). BatchNorm is folded before, so a norm counts its scale.
#include <algorithm>

#include "compress/method.h"
#include "compress/prune/cost_share.h"
#include "compress/prune/filter_rounds.h"
#include "compress/prune/importance.h"
#include "compress/prune/reconstruct.h"
#include "compress/prune/samples.h"
#include "compress/prune/unit_removal.h"
#include "compress/prune/zeros.h"
#include "compress/targets.h"
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
    list.push_back({"rounds",
                    kInt,
                    "1",
                    "parts in which the channels go, each judged by what is left; the epochs are divided among them",
                    {},
                    1,
                    1000});
    for (Option option : target_options()) list.push_back(option);
    for (Option option : optional_training("passes over the training data, after each round its part (0: no training)"))
      list.push_back(option);
    return list;
  }();
  return table;
}

bool trains(const json& options) { return options.at("epochs").get<double>() > 0; }

bool needs_gradients(const json& options) {
  return trains(options) || needs_loss(find_importance(options.at("importance").get<std::string>()));
}
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

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
  const bool rounds = options.at("rounds").get<std::int64_t>() > 1;
  if (rounds && threshold)
    throw Error(ErrorCode::kUsage, "prune.threshold", "removes at once", "rounds 1", options.at("rounds").dump());
  if (rounds && find_importance(options.at("importance").get<std::string>()).data == Importance::Data::kNorms)
    throw Error(ErrorCode::kUsage, "prune.rounds", "bn-scale knows the channels that the model was read with only",
                "rounds 1, or another importance", options.at("rounds").dump());
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
  if (trains(context.options)) validate_rounds(model, context);
  ir::Model joined = model;
  passes::prepare_groups(joined);
  require_some(target_groups(joined, context.original, context.options));
}

void apply(ir::Model& model, const Statistics&, StepContext& context) { remove_in_rounds(model, context); }

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
