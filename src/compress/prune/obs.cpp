// prune/obs: one-shot pruning with reconstruction, without labels or training (obs_update.h). Layers are pruned in
// graph order; each sees inputs as the layers before it, already pruned, make them.
#include <algorithm>

#include "compress/layerwise/hessian.h"
#include "compress/prune/layer_inputs.h"
#include "compress/prune/obs_update.h"
#include "compress/prune/reestimate.h"
#include "compress/prune/zeros.h"
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
           {"exact",
            kInt,
            "256",
            "layers of at most this many inputs (times kernel size) lose one weight, or block, of an output after the "
            "other "
            "instead of many over a block of inputs (ExactOBS; time grows with the cube)",
            {},
            0,
            16384},
           {"sequential", kBool, "false",
            "each layer sees its inputs as the pruned layers before it make them, a pass over the samples for each, "
            "instead of all as the original makes them, in as few passes as memory allows"},
           {"keep_zeros", kBool, "true", "zeros that the weights have already stay"},
       })
    list.push_back(option);
  for (Option option : reestimate_options()) list.push_back(option);
  for (Option option : target_options()) list.push_back(option);
  return list;
}

std::span<const Option> options() {
  static const std::vector<Option> table = declare();
  return table;
}

bool needs_gradients(const json&) { return false; }
std::vector<StatisticsRequest> needs(const ir::Model&, const json&) { return {}; }

void validate(const ir::Model& model, const StepContext& context) {
  const PruneRule rule = prune_rule(context.options);
  prune_targets(model, context.options);
  require_layer_inputs(model, context, "obs");
  for (const Layer& layer : distinct_layers(model, context.options))
    if (why_no_hessian(model.graph, layer).empty() && layer.op_type == "Conv")
      require_whole_blocks(layer.name, layer.weight.view, model.graph.node(layer.node).int_or("group", 1),
                           rule.pattern);
}

/// Prunes the layers, and adds them to `ranked` as they were.
void prune_layers(ir::Model& model, const std::vector<Layer>& layers, const PruneRule& rule, const StepContext& context,
                  const ObsOptions& obs, std::vector<PruneTarget>& ranked) {
  std::vector<std::pair<ir::ValueId, Tensor>> pruned;
  visit_hessians(
      model, layers, context.options.at("samples"), context,
      [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
        context.control.check_cancelled();
        PruneTarget target{layer.weight_name, *model.graph.constant(layer.weight.value), layer.weight.view};
        std::vector<float> saliency;
        pruned.emplace_back(layer.weight.value, obs_prune(target, rule, hessian, groups, obs, &saliency));
        target.scores = std::move(saliency);
        ranked.push_back(std::move(target));
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
  const ir::Model original = model;
  const ObsOptions obs{options.at("damping"), options.at("block"), options.at("update"), options.at("exact"),
                       options.at("refit")};
  const std::vector<Layer> layers = layers_with_inputs(model, context);
  std::vector<PruneTarget> ranked;
  if (options.at("sequential").get<bool>()) {
    const auto runs = runs_of(model.graph, layers);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      prune_layers(model, runs[i], rule, context, obs, ranked);
      context.control.report(
          {"prune", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
    }
  } else {
    prune_layers(model, layers, rule, context, obs, ranked);
  }
  record_importance(model.graph, ranked, context);
  reestimate(original, model, weights_of(targets_of(model.graph, layers)), context);
  record_zeros(targets_of(model.graph, layers), rule, context);
}

std::vector<std::string> target_names(const ir::Model& model, const json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : distinct_layers(model, options)) names.push_back(layer.name);
  return names;
}

}  // namespace

const Method& obs_pruning() {
  static const Method method = {
      "prune",
      "obs",
      "zeros what costs a layer's output least and lets the others make up for it, without labels",
      "Frantar & Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned in "
      "One-Shot, 2023; exact: Frantar & Alistarh, Optimal Brain Compression, 2022",
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
