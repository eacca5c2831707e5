#include "compress/prune/gradient_scores.h"

#include <cmath>

#include "compress/prune/samples.h"

namespace pare::compress {

void score_by_gradients(std::vector<PruneTarget>& targets, const ScoringState& state, const GradientFormula& formula) {
  std::vector<std::vector<double>> sums;
  for (const PruneTarget& target : targets) sums.emplace_back(static_cast<std::size_t>(target.weight.numel()), 0.0);
  double all = 0;
  visit_gradients(
      state.model, state.context.options.at("samples"), formula.batch, state.context,
      [&](const NamedTensors& gradients, std::int64_t samples) {
        const auto count = static_cast<double>(samples);
        all += count;
        for (std::size_t t = 0; t < targets.size(); ++t) {
          const auto slopes = gradients.at(targets[t].name).data<float>(), weights = targets[t].weight.data<float>();
          for (std::size_t i = 0; i < slopes.size(); ++i)
            sums[t][i] += count * formula.term(static_cast<double>(weights[i]), static_cast<double>(slopes[i]));
        }
      },
      state.trainer);
  if (formula.normalized) {
    all = 0;
    for (const std::vector<double>& own : sums)
      for (double sum : own) all += std::fabs(sum);
  }
  for (std::size_t t = 0; t < targets.size(); ++t) {
    targets[t].scores.clear();
    for (double sum : sums[t]) targets[t].scores.push_back(all > 0 ? static_cast<float>(std::fabs(sum) / all) : 0);
  }
}

Option gradient_samples() {
  return {"samples", OptionType::kInt, "512", "training samples whose loss is differentiated; 0: all", {}, 0, 1e9};
}

}  // namespace pare::compress
