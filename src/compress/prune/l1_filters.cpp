// prune/l1-filters: removes the filters of smallest L1 norm, with everything that belongs to their channels in the
// layers around (Li et al., Pruning Filters for Efficient ConvNets, 2017). Channels that residual sums, depthwise
// convolutions and the like couple go together (ir/groups.h): their score is the mean over the group's layers of the
// filter's norm, relative to the layer's mean filter so that no layer outweighs the others. BatchNorm is folded before,
// so a norm counts its scale.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/method.h"
#include "compress/targets.h"
#include "ir/groups.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::span<const Option> options() {
  using enum OptionType;
  static const std::vector<Option> table = [] {
    std::vector<Option> list = {
        {"ratio", kFloat, "0.3", "share of the channels to remove", {}, 0, 0.99},
        {"scope",
         kString,
         "\"layer\"",
         "the share of each coupled group (layer), or of all ranked together (global)",
         {"layer", "global"}},
        {"most", kFloat, "0.8", "largest share that a group may lose with scope global", {}, 0, 0.99},
        {"round_to", kInt, "8", "keep a multiple of this many channels, as kernels like them", {}, 1, 1024},
    };
    for (Option option : target_options()) list.push_back(option);
    return list;
  }();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

/// Groups of the model; those that the step must not touch have `blocked` set.
std::vector<ir::ChannelGroup> target_groups(const ir::Model& model, const json& options) {
  const std::vector<Layer> layers = find_layers(model.graph);
  const auto include = options.at("include").get<std::vector<std::string>>();
  const auto exclude = options.at("exclude").get<std::vector<std::string>>();
  const std::set<ir::NodeId> in = select_nodes(model.graph, layers, {}, include, "prune.include");
  const std::set<ir::NodeId> out = select_nodes(model.graph, layers, {}, exclude, "prune.exclude");
  std::vector<ir::ChannelGroup> groups = ir::channel_groups(model);
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
  return groups;
}

void require_some(const std::vector<ir::ChannelGroup>& groups) {
  if (groups.empty())
    throw Error(ErrorCode::kUnsupported, "prune", "the model has no layer with channels", "Conv, Gemm or MatMul");
  for (const ir::ChannelGroup& group : groups)
    if (group.blocked.empty()) return;
  throw Error(ErrorCode::kUnsupported, "prune",
              "no channel can be removed; '" + groups[0].name + "': " + groups[0].blocked);
}

void validate(const ir::Model& model, const StepContext& context) {
  require_some(target_groups(model, context.options));
}

/// Score of every unit: mean over the layers of Σ|w| of its filters, divided by the layer's mean.
std::vector<double> scores_of(const ir::Graph& graph, const ir::ChannelGroup& group) {
  std::vector<double> scores(static_cast<std::size_t>(group.units), 0.0);
  for (std::size_t l = 0; l < group.layers.size(); ++l) {
    const Tensor& weight = *graph.constant(group.weights[l]);
    const auto axis = std::find_if(group.axes.begin(), group.axes.end(), [&](const ir::GroupAxis& one) {
      return one.value == group.weights[l] && one.axis == group.output_axes[l];
    });
    std::int64_t inner = 1;
    for (std::int64_t i = group.output_axes[l] + 1; i < weight.rank(); ++i) inner *= weight.dim(i);
    std::vector<double> norms(scores.size(), 0.0);
    const auto values = weight.data<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int32_t unit = axis->unit[i / static_cast<std::size_t>(inner) % axis->unit.size()];
      if (unit >= 0) norms[static_cast<std::size_t>(unit)] += std::fabs(static_cast<double>(values[i]));
    }
    const double mean = std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size());
    for (std::size_t u = 0; u < scores.size(); ++u)
      scores[u] += mean > 0 ? norms[u] / mean / static_cast<double>(group.layers.size()) : 0;
  }
  return scores;
}

/// Units kept of a group when `wanted` are, with the channels rounded up to a multiple.
std::int64_t rounded(const ir::ChannelGroup& group, std::int64_t wanted, std::int64_t multiple) {
  wanted = std::max<std::int64_t>(wanted, 1);
  while (wanted < group.units && wanted * group.block % multiple != 0) ++wanted;
  return std::min(wanted, group.units);
}

class Selection {
 public:
  Selection(const ir::Graph& graph, const std::vector<ir::ChannelGroup>& groups, const json& options)
      : groups_(groups), options_(options) {
    for (const ir::ChannelGroup& group : groups)
      scores_.push_back(group.blocked.empty() ? scores_of(graph, group) : std::vector<double>());
  }

  std::vector<std::vector<std::int64_t>> removed() const {
    const std::vector<std::int64_t> wanted = options_.at("scope") == "global" ? kept_globally() : kept_by_group();
    std::vector<std::vector<std::int64_t>> removed(groups_.size());
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (scores_[g].empty()) continue;
      const std::int64_t kept = rounded(groups_[g], wanted[g], options_.at("round_to").get<std::int64_t>());
      std::vector<std::int64_t> order(scores_[g].size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return scores_[g][static_cast<std::size_t>(a)] < scores_[g][static_cast<std::size_t>(b)];
      });
      order.resize(static_cast<std::size_t>(groups_[g].units - kept));
      std::sort(order.begin(), order.end());
      removed[g] = std::move(order);
    }
    return removed;
  }

 private:
  double ratio() const { return options_.at("ratio").get<double>(); }

  std::vector<std::int64_t> kept_by_group() const {
    std::vector<std::int64_t> kept;
    for (const ir::ChannelGroup& group : groups_)
      kept.push_back(group.units - static_cast<std::int64_t>(ratio() * static_cast<double>(group.units)));
    return kept;
  }

  std::vector<std::int64_t> kept_globally() const {
    std::vector<double> all;
    for (const auto& scores : scores_) all.insert(all.end(), scores.begin(), scores.end());
    const auto gone = static_cast<std::size_t>(ratio() * static_cast<double>(all.size()));
    std::vector<std::int64_t> kept;
    if (gone > 0) std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(gone - 1), all.end());
    const double limit = gone > 0 ? all[gone - 1] : -1;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const std::int64_t above =
          std::count_if(scores_[g].begin(), scores_[g].end(), [&](double s) { return s > limit; });
      const double least = (1 - options_.at("most").get<double>()) * static_cast<double>(groups_[g].units);
      kept.push_back(std::max(above, static_cast<std::int64_t>(std::ceil(least))));
    }
    return kept;
  }

  const std::vector<ir::ChannelGroup>& groups_;
  const json& options_;
  std::vector<std::vector<double>> scores_;
};

json group_json(const ir::Graph& graph, const ir::ChannelGroup& group, std::size_t removed) {
  json layers = json::array();
  for (ir::NodeId id : group.layers) layers.push_back(graph.node(id).name);
  const auto gone = static_cast<std::int64_t>(removed);
  return {{"group", group.name},
          {"layers", layers},
          {"channels", group.units * group.block},
          {"kept", (group.units - gone) * group.block},
          {"reason", !group.blocked.empty() ? json(group.blocked)
                     : gone == 0            ? json("rounding keeps all of its channels")
                                            : json(nullptr)}};
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const std::vector<ir::ChannelGroup> groups = target_groups(model, context.options);
  require_some(groups);
  const auto removed = Selection(model.graph, groups, context.options).removed();
  json entries = json::array();
  std::int64_t before = 0, after = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    entries.push_back(group_json(model.graph, groups[g], removed[g].size()));
    before += entries.back().at("channels").get<std::int64_t>();
    after += entries.back().at("kept").get<std::int64_t>();
  }
  ir::remove_units(model, groups, removed);
  context.record["filters"] = {{"channels_before", before}, {"channels_after", after}, {"groups", entries}};
  if (before == after) context.record["notes"].push_back("no channel was removed; the record says why for each group");
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const ir::ChannelGroup& group : target_groups(model, options))
    if (group.blocked.empty())
      for (ir::NodeId id : group.layers) names.push_back(model.graph.node(id).name);
  return names;
}

}  // namespace

const Method& l1_filter_pruning() {
  static const Method method = {"prune",
                                "l1-filters",
                                "removes the filters of smallest L1 norm, and their channels everywhere",
                                "Li et al., Pruning Filters for Efficient ConvNets, 2017",
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
