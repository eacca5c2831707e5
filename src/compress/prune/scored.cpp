#include "compress/prune/scored.h"

#include <cmath>

#include "compress/prune/reestimate.h"
#include "compress/prune/samples.h"
#include "compress/targets.h"

namespace pare::compress {

std::vector<Option> scored_options(std::string_view scope, const std::vector<Option>& further) {
  using enum OptionType;
  std::vector<Option> list = pattern_options();
  list.push_back({"scope",
                  kString,
                  scope,
                  "rank the weights of each layer, of each output channel or of all layers together (auto: all, but of "
                  "N:M, which fixes every group)",
                  {"auto", "layer", "output", "global"}});
  list.insert(list.end(), further.begin(), further.end());
  list.push_back({"keep_zeros", kBool, "true", "zeros that the weights have already stay"});
  for (Option option : reestimate_options()) list.push_back(option);
  for (Option option : target_options()) list.push_back(option);
  return list;
}

void prune_by_scores(ir::Model& model, const std::vector<PruneTarget>& targets, StepContext& context) {
  const PruneRule rule = prune_rule(context.options);
  const std::vector<Tensor> masks = choose_masks(targets, rule, 0, 1);
  context.record["importance"] = importance_histogram(targets, masks);
  const ir::Model original = model;
  annotate_masks(model.graph, targets, masks);
  reestimate(original, model, weights_of(targets), context);
  record_zeros(prune_targets(model, context.options), rule, context);
}

void score_by_gradients(std::vector<PruneTarget>& targets, const ir::Model& model, std::int64_t wanted,
                        const StepContext& context, double (*measure)(double weight, double gradient)) {
  std::vector<std::vector<double>> sums;
  for (const PruneTarget& target : targets) sums.emplace_back(static_cast<std::size_t>(target.weight.numel()), 0.0);
  visit_gradients(model, context.options.at("samples"), wanted, context, [&](const NamedTensors& gradients) {
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const auto slopes = gradients.at(targets[t].name).data<float>(), weights = targets[t].weight.data<float>();
      for (std::size_t i = 0; i < slopes.size(); ++i)
        sums[t][i] += measure(static_cast<double>(weights[i]), static_cast<double>(slopes[i]));
    }
  });
  for (std::size_t t = 0; t < targets.size(); ++t)
    for (double sum : sums[t]) targets[t].scores.push_back(static_cast<float>(std::fabs(sum)));
}

void validate_scored(const ir::Model& model, const StepContext& context) {
  prune_rule(context.options);
  prune_targets(model, context.options);
  require_reestimation_data(context);
}

std::vector<std::string> scored_layers(const ir::Model& model, const nlohmann::json& options) {
  std::vector<std::string> names;
  for (const Layer& layer : target_layers(model.graph, options, "prune")) names.push_back(layer.name);
  return names;
}

}  // namespace pare::compress
