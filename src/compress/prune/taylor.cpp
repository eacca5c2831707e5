// prune/taylor: first-order Taylor expansion E[|w·∂L/∂w|] of the change of the loss, over mini-batches.
#include <cmath>

#include "compress/prune/gradient_method.h"

namespace pare::compress {
namespace {

constexpr GradientCriterion kCriterion = {
    "taylor",
    "zeros the weights without which the losses of mini-batches change least to first order: |w·g|, the mean over them",
    "Molchanov, Tyree, Karras, Aila & Kautz, Pruning Convolutional Neural Networks for Resource Efficient Inference, "
    "2017",
    {32, [](double weight, double gradient) { return std::fabs(weight * gradient); }}};

}  // namespace

const Method& taylor_pruning() { return gradient_method<kCriterion>(); }

}  // namespace pare::compress
