#include "compress/prune/obs_update.h"

#include "base/linear_algebra.h"
#include "compress/layerwise/hessian.h"
#include "compress/prune/obs_rows.h"
#include "pare/error.h"

namespace pare::compress {

Tensor obs_prune(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian, std::int64_t groups,
                 const ObsOptions& options) {
  const auto n = static_cast<std::size_t>(target.view.taps * target.view.inputs);
  if (hessian.size() != n * n * static_cast<std::size_t>(groups))
    throw Error(ErrorCode::kInternal, target.name, "the Hessian has another size",
                std::to_string(n * n * static_cast<std::size_t>(groups)), std::to_string(hessian.size()));
  Tensor out = target.weight.clone();
  const std::int64_t each = target.view.outputs / groups;
  if (groups > 1 && each % rule.pattern.block_outputs != 0)
    throw Error(ErrorCode::kUnsupported, target.name,
                "a block of " + rule.pattern.to_string() + " would cross the groups of the convolution",
                "a multiple of " + std::to_string(rule.pattern.block_outputs) + " outputs a group",
                std::to_string(each));
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::vector<double> damped =
        damped_hessian(hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n), n, options.damping);
    ObsRows rows(target, rule.keep_zeros, g * each, each);
    const std::vector<double> original = rows.weights;
    const bool exact = static_cast<std::int64_t>(n) <= options.exact;
    if (exact)
      obs_exact(rows, rule, damped);
    else
      obs_sweep(rows, rule, options.block, cholesky_of_inverse(damped, static_cast<std::int64_t>(n)), options.update);
    if (options.update && (options.refit || exact)) obs_refit(rows, damped, original);
    rows.write(out.mutable_data<float>());
  }
  return out;
}

}  // namespace pare::compress
