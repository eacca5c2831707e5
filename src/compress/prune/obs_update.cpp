#include "compress/prune/obs_update.h"

#include <algorithm>
#include <functional>

#include "base/linear_algebra.h"
#include "compress/layerwise/hessian.h"
#include "compress/prune/obs_rows.h"
#include "pare/error.h"

namespace pare::compress {

namespace {

/// Of H⁻¹ = UᵀU.
std::vector<double> diagonal_of_inverse(std::span<const double> u, std::size_t n) {
  std::vector<double> diagonal(n, 0.0);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t j = k; j < n; ++j) diagonal[j] += u[k * n + j] * u[k * n + j];
  return diagonal;
}

using GroupVisitor = std::function<void(ObsRows& rows, std::span<const double> hessian)>;

/// Visits the rows of each group of the layer with their Hessian.
void visit_groups(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian,
                  std::int64_t groups, const GroupVisitor& visit) {
  const auto n = static_cast<std::size_t>(target.view.taps * target.view.inputs);
  if (hessian.size() != n * n * static_cast<std::size_t>(groups))
    throw Error(ErrorCode::kInternal, target.name, "the Hessian has another size",
                std::to_string(n * n * static_cast<std::size_t>(groups)), std::to_string(hessian.size()));
  require_whole_blocks(target.name, target.view, groups, rule.pattern);
  const std::int64_t each = target.view.outputs / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    ObsRows rows(target, rule.keep_zeros, g * each, each);
    visit(rows, hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n));
  }
}

}  // namespace

void require_whole_blocks(const std::string& layer, const ir::WeightView& view, std::int64_t groups,
                          const ir::SparsityPattern& pattern) {
  const std::int64_t each = view.outputs / groups;
  if (groups == 1 || each % pattern.block_outputs == 0) return;
  throw Error(ErrorCode::kUnsupported, "layer '" + layer + "'",
              "a block of " + pattern.to_string() + " would cross the groups of the convolution (exclude the layer)",
              "a multiple of " + std::to_string(pattern.block_outputs) + " outputs a group", std::to_string(each));
}

Tensor obs_prune(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian, std::int64_t groups,
                 const ObsOptions& options, std::vector<float>* saliency) {
  Tensor out = target.weight.clone();
  if (saliency) saliency->assign(static_cast<std::size_t>(out.numel()), 0.0F);
  visit_groups(target, rule, hessian, groups, [&](ObsRows& rows, std::span<const double> own) {
    const std::vector<double> original = rows.weights;
    double damping = options.damping;
    const std::vector<double> u = damped_inverse_factor(own, rows.n, damping);
    const std::vector<double> diagonal = saliency ? diagonal_of_inverse(u, rows.n) : std::vector<double>();
    for (std::size_t i = 0; saliency && i < original.size(); ++i)
      (*saliency)[rows.element(i / rows.count, i % rows.count)] =
          static_cast<float>(original[i] * original[i] / diagonal[i / rows.count]);
    const bool exact = static_cast<std::int64_t>(rows.n) <= options.exact;
    if (exact)
      obs_exact(rows, rule,
                inverse_of_positive(damped_hessian(own, rows.n, damping), static_cast<std::int64_t>(rows.n)));
    else
      obs_sweep(rows, rule, options.block, u, options.update);
    if (options.update && (options.refit || exact)) obs_refit(rows, damped_hessian(own, rows.n, damping), original);
    rows.write(out.mutable_data<float>());
  });
  return out;
}

std::vector<float> mean_damage(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian,
                               std::int64_t groups, std::int64_t rows_seen) {
  std::vector<float> scores(static_cast<std::size_t>(target.weight.numel()), 0.0F);
  visit_groups(target, rule, hessian, groups,
               [&](ObsRows& rows, std::span<const double> own) { obs_damage(rows, rule, own, scores); });
  for (float& score : scores) score /= static_cast<float>(std::max<std::int64_t>(rows_seen, 1));
  return scores;
}

}  // namespace pare::compress
