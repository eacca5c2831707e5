#include "compress/prune/obs_update.h"

#include "base/linear_algebra.h"
#include "compress/layerwise/hessian.h"
#include "compress/prune/obs_rows.h"
#include "pare/error.h"

namespace pare::compress {

namespace {

/// Of H⁻¹, by its factor or itself.
std::vector<double> diagonal_of_factor(std::span<const double> u, std::size_t n) {
  std::vector<double> diagonal(n, 0.0);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t j = k; j < n; ++j) diagonal[j] += u[k * n + j] * u[k * n + j];
  return diagonal;
}

std::vector<double> diagonal_of(std::span<const double> matrix, std::size_t n) {
  std::vector<double> diagonal;
  for (std::size_t j = 0; j < n; ++j) diagonal.push_back(matrix[j * n + j]);
  return diagonal;
}

/// Chooses the zeros, updates what stays, and gives H⁻¹'s diagonal; `damping` may be raised (damped_inverse_factor).
std::vector<double> choose(ObsRows& rows, const PruneRule& rule, std::span<const double> hessian, double& damping, bool exact,
                           const ObsOptions& options) {
  const std::vector<double> u = damped_inverse_factor(hessian, rows.n, damping);
  if (exact) {
    const std::vector<double> inverse =
        inverse_of_positive(damped_hessian(hessian, rows.n, damping), static_cast<std::int64_t>(rows.n));
    obs_exact(rows, rule, inverse);
    return diagonal_of(inverse, rows.n);
  }
  obs_sweep(rows, rule, options.block, u, options.update);
  return diagonal_of_factor(u, rows.n);
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
  const auto n = static_cast<std::size_t>(target.view.taps * target.view.inputs);
  if (hessian.size() != n * n * static_cast<std::size_t>(groups))
    throw Error(ErrorCode::kInternal, target.name, "the Hessian has another size",
                std::to_string(n * n * static_cast<std::size_t>(groups)), std::to_string(hessian.size()));
  require_whole_blocks(target.name, target.view, groups, rule.pattern);
  Tensor out = target.weight.clone();
  if (saliency) saliency->assign(n * static_cast<std::size_t>(target.view.outputs), 0.0F);
  const std::int64_t each = target.view.outputs / groups;
  const bool exact = static_cast<std::int64_t>(n) <= options.exact;
  for (std::int64_t g = 0; g < groups; ++g) {
    const auto own = hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n);
    ObsRows rows(target, rule.keep_zeros, g * each, each);
    const std::vector<double> original = rows.weights;
    double damping = options.damping;
    const std::vector<double> diagonal = choose(rows, rule, own, damping, exact, options);
    for (std::size_t i = 0; saliency && i < original.size(); ++i)
      (*saliency)[rows.element(i / rows.count, i % rows.count)] =
          static_cast<float>(original[i] * original[i] / diagonal[i / rows.count]);
    if (options.update && (options.refit || exact)) obs_refit(rows, damped_hessian(own, n, damping), original);
    rows.write(out.mutable_data<float>());
  }
  return out;
}

}  // namespace pare::compress
