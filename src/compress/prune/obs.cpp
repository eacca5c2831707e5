// prune/obs: one-shot pruning with reconstruction, without labels or training (obs_update.h). Layers are pruned in
// graph order; each sees inputs as the layers before it, already pruned, make them.
#include <algorithm>

#include "compress/prune/obs_update.h"
#include "compress/prune/zeros.h"
#include "compress/quantize/hessian.h"
#include "compress/targets.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::vector<Option> declare() {
  using enum OptionType;
  std::vector<Option> list = pattern_options();
  for (const Option& option : std::vector<Option>{
           {"samples", kInt, "512", "training samples that the layers' inputs are taken from; 0: all", {}, 0, 1e9},
           {"damping", kFloat, "0.01", "of the mean energy of a layer's inputs, added to each", {}, 1e-8, 10},
           {"block", kInt, "128", "inputs over which unstructured zeros are chosen at once", {}, 1, 1e9},
           {"update", kBool, "true", "the weights that stay make up for those that go"},
           {"refit", kBool, "true",
            "after the zeros are chosen, the weights that stay are solved for once more, each output's over all its "
            "inputs (slower: a linear system for each output)"},
           {"sequential", kBool, "true",
            "each layer sees its inputs as the pruned layers before it make them: a pass over the samples for each; "
            "false: "
            "all as the original makes them, in as few passes as memory allows"},
           {"keep_zeros", kBool, "true", "zeros that the weights have already stay"},
       })
    list.push_back(option);
  for (Option option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

/// The first layer of each target: shared weights are pruned by what the first sees.
std::vector<Layer> layers_of(const ir::Model& model, const json& options) {
  std::vector<Layer> layers;
  std::set<ir::ValueId> seen;
  for (const Layer& layer : target_layers(model.graph, options, "prune"))
    if (seen.insert(layer.weight.value).second) layers.push_back(layer);
  return layers;
}

void validate(const ir::Model& model, const StepContext& context) {
  prune_rule(context.options);
  prune_targets(model, context.options);
  if (!context.dataset.train || context.dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "prune", "method obs needs a train split in the data file");
  const std::vector<Layer> layers = layers_of(model, context.options);
  if (std::none_of(layers.begin(), layers.end(),
                   [&](const Layer& layer) { return why_no_hessian(model.graph, layer).empty(); }))
    throw Error(
        ErrorCode::kUnsupported, "prune",
        "no layer's inputs can be unfolded; '" + layers[0].name + "': " + why_no_hessian(model.graph, layers[0]));
}

/// Runs of layers that read the same value: they see the same inputs, and none changes the other's.
std::vector<std::vector<Layer>> runs_of(const ir::Graph& graph, const std::vector<Layer>& layers) {
  std::vector<std::vector<Layer>> runs;
  for (const Layer& layer : layers) {
    const ir::ValueId input = graph.node(layer.node).input(0);
    if (runs.empty() || graph.node(runs.back()[0].node).input(0) != input) runs.emplace_back();
    runs.back().push_back(layer);
  }
  return runs;
}

void prune_layers(ir::Model& model, const std::vector<Layer>& layers, const PruneRule& rule, const StepContext& context,
                  const ObsOptions& obs) {
  std::vector<std::pair<ir::ValueId, Tensor>> pruned;
  visit_hessians(
      model, layers, context.options.at("samples"), context,
      [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
        context.control.check_cancelled();
        const PruneTarget target{layer.weight_name, *model.graph.constant(layer.weight.value), layer.weight.view};
        pruned.emplace_back(layer.weight.value, obs_prune(target, rule, hessian, groups, obs));
      });
  for (auto& [value, weight] : pruned) {
    const Tensor mask = mask_of_zeros(weight);
    model.graph.set_constant(value, std::move(weight));
    model.graph.value(value).mask = mask;
  }
}

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const json& options = context.options;
  const PruneRule rule = prune_rule(options);
  const ObsOptions obs{options.at("damping"), options.at("block"), options.at("update"), options.at("refit")};
  std::vector<Layer> layers;
  for (const Layer& layer : layers_of(model, options)) {
    const std::string why = why_no_hessian(model.graph, layer);
    if (why.empty())
      layers.push_back(layer);
    else
      context.record["notes"].push_back("'" + layer.name + "' is left as it was: " + why);
  }
  if (options.at("sequential").get<bool>()) {
    const auto runs = runs_of(model.graph, layers);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      prune_layers(model, runs[i], rule, context, obs);
      context.control.report(
          {"prune", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
    }
  } else {
    prune_layers(model, layers, rule, context, obs);
  }
  std::vector<PruneTarget> targets;
  for (const Layer& layer : layers)
    targets.push_back({layer.weight_name, *model.graph.constant(layer.weight.value), layer.weight.view});
  record_zeros(targets, rule, context);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : layers_of(model, options)) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& obs_pruning() {
  static const Method method = {
      "prune",
      "obs",
      "zeros what costs a layer's output least and lets the others make up for it, without labels",
      "Frantar & Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned in "
      "One-Shot, 2023",
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
