// prune/gradient: sensitivity E[|∂L/∂w|] of the loss to a weight, over mini-batches.
#include <cmath>

#include "compress/prune/gradient_method.h"

namespace pare::compress {
namespace {

constexpr GradientCriterion kCriterion = {
    "gradient",
    "zeros the weights that the loss is least sensitive to: |g|, the mean over mini-batches",
    "Mozer & Smolensky, Skeletonization: A Technique for Trimming the Fat from a Network via Relevance Assessment, "
    "1989",
    {32, [](double, double gradient) { return std::fabs(gradient); }}};

}  // namespace

const Method& gradient_pruning() { return gradient_method<kCriterion>(); }

}  // namespace pare::compress
