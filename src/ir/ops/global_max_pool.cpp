// GlobalMaxPool: largest element of each [n, c] plane; spatial axes become 1.
#include <algorithm>
#include <numeric>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/pooling.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return reduce_planes(ctx, [](std::span<const double> plane) {
    return std::accumulate(plane.begin(), plane.end(), plane[0], [](double a, double b) { return std::max(a, b); });
  });
}

}  // namespace

extern const Operator kGlobalMaxPool = {
    .op_type = "GlobalMaxPool",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_global_pooling,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
