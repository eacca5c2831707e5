// LogSoftmax: x − log Σ exp(x), shifted by the largest element so that nothing overflows.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/softmax.h"

namespace pare::ir::ops {
namespace {

void normalize(std::span<double> line) {
  const double largest = *std::ranges::max_element(line);
  double sum = 0;
  for (double x : line) sum += std::exp(x - largest);
  for (double& x : line) x -= largest + std::log(sum);
}

}  // namespace

extern const Operator kLogSoftmax = {
    .op_type = "LogSoftmax",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axis"},
    .infer = infer_softmax,
    .evaluate = [](const EvaluateContext& ctx) { return evaluate_softmax(ctx, normalize); },
    .axes = axes_softmax,
};

}  // namespace pare::ir::ops
