// GlobalAveragePool: mean of each [n, c] plane; spatial axes become 1.
#include <algorithm>
#include <numeric>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/pooling.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return reduce_planes(ctx, [](std::span<const double> plane) {
    return std::accumulate(plane.begin(), plane.end(), 0.0) / static_cast<double>(plane.size());
  });
}

}  // namespace

extern const Operator kGlobalAveragePool = {
    .op_type = "GlobalAveragePool",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_global_pooling,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
