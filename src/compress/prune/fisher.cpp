// prune/fisher: saliency w²·F/2 with the empirical Fisher information F = E[g²], sample by sample.
#include "compress/prune/gradient_method.h"

namespace pare::compress {
namespace {

constexpr GradientCriterion kCriterion = {
    "fisher",
    "zeros the weights without which the loss grows least to second order: w² times the diagonal of the Fisher "
    "information",
    "LeCun, Denker & Solla, Optimal Brain Damage, 1990; Fisher diagonal: Theis et al., 2018",
    {1, [](double weight, double gradient) { return weight * weight * gradient * gradient / 2; }}};

}  // namespace

const Method& fisher_pruning() { return gradient_method<kCriterion>(); }

}  // namespace pare::compress
