// prune/obs: one-shot pruning with reconstruction, without labels or training (obs_update.h). Layers are pruned in
// graph order; each sees inputs as the layers before it, already pruned, make them.
#include <algorithm>
#include <map>

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
  for (const Option& option : ranking_options(
           {"\"layer\"",
            "the same share of each layer goes, or of each output channel of it, or layers lose unlike shares, as the "
            "weights of all are ranked together by what each does to its layer's output (global)",
            "largest share that a layer may lose with scope global or a threshold; if not given 0.99, or the sparsity "
            "where that is more",
            {"layer", "output", "global"}}))
    list.push_back(option);
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

PruneRule rule_of(const json& options) {
  constexpr double kMost = 0.99;
  PruneRule rule = prune_rule(options);
  if (options.at("most").is_null()) rule.most = rule.threshold ? kMost : std::max(kMost, rule.sparsity);
  return rule;
}

void validate(const ir::Model& model, const StepContext& context) {
  const PruneRule rule = rule_of(context.options);
  prune_targets(model, context.options);
  require_layer_inputs(model, context, "obs");
  for (const Layer& layer : distinct_layers(model, context.options))
    if (why_no_hessian(model.graph, layer).empty() && layer.op_type == "Conv")
      require_whole_blocks(layer.name, layer.weight.view, model.graph.node(layer.node).int_or("group", 1),
                           rule.pattern);
}

PruneTarget target_of(const ir::Graph& graph, const Layer& layer) {
  return {layer.weight_name, *graph.constant(layer.weight.value), layer.weight.view};
}

/// One step over layers, one after the other.
class Surgery {
 public:
  Surgery(ir::Model& model, const PruneRule& rule, const StepContext& context)
      : model_(model), rule_(rule), context_(context) {
    const json& options = context.options;
    obs_ = {options.at("damping"), options.at("block"), options.at("update"), options.at("exact"), options.at("refit")};
  }

  /// Ranks the weights of all layers before anything goes, from which follows how much each loses. Only the scores are
  /// kept, no Hessian.
  void rank(const std::vector<Layer>& layers) {
    visit_inputs(model_, layers, context_.options.at("samples"), context_,
                 [&](const Layer& layer, const LayerInputs& inputs) {
                   context_.control.check_cancelled();
                   PruneTarget target = target_of(model_.graph, layer);
                   target.scores = mean_damage(target, rule_, inputs.hessian, inputs.groups, inputs.rows);
                   ranked_.push_back(std::move(target));
                 });
    const std::vector<double> shares = shares_by_rank(ranked_, rule_);
    for (std::size_t t = 0; t < ranked_.size(); ++t) shares_[ranked_[t].name] = shares[t];
  }

  void prune(const std::vector<Layer>& layers) {
    std::vector<std::pair<ir::ValueId, Tensor>> pruned;
    visit_inputs(model_, layers, context_.options.at("samples"), context_,
                 [&](const Layer& layer, const LayerInputs& inputs) {
                   context_.control.check_cancelled();
                   pruned.emplace_back(layer.weight.value, pruned_weight(target_of(model_.graph, layer), inputs));
                 });
    for (auto& [value, weight] : pruned) {
      const Tensor mask = mask_of_zeros(weight);
      model_.graph.set_constant(value, std::move(weight));
      model_.graph.value(value).mask = mask;
    }
  }

  /// The layers as they were, with their weights' scores.
  const std::vector<PruneTarget>& ranked() const { return ranked_; }

 private:
  Tensor pruned_weight(PruneTarget target, const LayerInputs& inputs) {
    PruneRule own = rule_;
    if (const auto share = shares_.find(target.name); share != shares_.end()) {
      own.sparsity = share->second;
      own.scope = PruneRule::Scope::kLayer;
      return obs_prune(target, own, inputs.hessian, inputs.groups, obs_);
    }
    std::vector<float> saliency;
    Tensor weight = obs_prune(target, own, inputs.hessian, inputs.groups, obs_, &saliency);
    target.scores = std::move(saliency);
    ranked_.push_back(std::move(target));
    return weight;
  }

  ir::Model& model_;
  const PruneRule& rule_;
  const StepContext& context_;
  ObsOptions obs_;
  std::map<std::string, double> shares_;  ///< by weight, where layers lose unlike ones
  std::vector<PruneTarget> ranked_;
};

void apply(ir::Model& model, const Statistics&, StepContext& context) {
  const PruneRule rule = rule_of(context.options);
  const ir::Model original = model;
  const std::vector<Layer> layers = layers_with_inputs(model, context);
  Surgery surgery(model, rule, context);
  if (rule.threshold || rule.scope == PruneRule::Scope::kGlobal) surgery.rank(layers);
  if (context.options.at("sequential").get<bool>()) {
    const auto runs = runs_of(model.graph, layers);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      surgery.prune(runs[i]);
      context.control.report(
          {"prune", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(runs.size()), "inputs", {}, -1});
    }
  } else {
    surgery.prune(layers);
  }
  record_importance(model.graph, surgery.ranked(), context);
  reestimate(original, model, weights_of(targets_of(model.graph, layers)), context);
  record_zeros(model.graph, targets_of(model.graph, layers), rule, context);
}

}  // namespace

const Method& obs_pruning() {
  static const Method method = zeroing_method(
      {"obs", "zeros what costs a layer's output least and lets the others make up for it, without labels",
       "Frantar & Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned in "
       "One-Shot, 2023; exact: Frantar & Alistarh, Optimal Brain Compression, 2022",
       options, needs_gradients, validate, apply});
  return method;
}

}  // namespace pare::compress
