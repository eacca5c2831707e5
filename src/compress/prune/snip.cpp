// prune/snip: connection sensitivity |w·∂L/∂w| of the mean loss over the samples, as a share of the sum over all
// weights.
#include "compress/prune/gradient_method.h"

namespace pare::compress {
namespace {

constexpr GradientCriterion kCriterion = {
    "snip",
    "zeros the weights without which the mean loss changes least to first order: |w·g| of all samples together",
    "Lee, Ajanthan & Torr, SNIP: Single-shot Network Pruning based on Connection Sensitivity, 2019",
    {32, [](double weight, double gradient) { return weight * gradient; }, /*normalized=*/true}};

}  // namespace

const Method& snip_pruning() { return gradient_method<kCriterion>(); }

}  // namespace pare::compress
