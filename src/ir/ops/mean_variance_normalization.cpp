// MeanVarianceNormalization: y = (x − mean) / (standard deviation + 1e-9) over `axes` (default 0, 2, 3).
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

const std::vector<std::int64_t> kDefaultAxes = {0, 2, 3};
/// As in the function body that defines the operator.
constexpr double kEpsilon = 1e-9;

void infer(InferContext& ctx) {
  infer_same(ctx);
  if (!ctx.in(0).shape.ranked()) return;
  for (std::int64_t axis : ctx.node.ints_or("axes", kDefaultAxes)) normalize_axis(ctx, axis, ctx.in(0).shape.rank());
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  Dims kept = x.dims();
  for (std::int64_t axis : ctx.node.ints_or("axes", kDefaultAxes))
    kept[static_cast<std::size_t>(normalize_axis(ctx, axis, x.rank()))] = 1;
  const Dims strides = broadcast_strides(kept, x.dims());
  std::vector<double> values = to_doubles(x), mean(static_cast<std::size_t>(element_count(kept))), square = mean;
  const double size = mean.empty() ? 1 : static_cast<double>(values.size()) / static_cast<double>(mean.size());
  for_each_strided(x.dims(), 0, strides, [&](std::int64_t i, std::int64_t j) {
    mean[static_cast<std::size_t>(j)] += values[static_cast<std::size_t>(i)] / size;
  });
  for_each_strided(x.dims(), 0, strides, [&](std::int64_t i, std::int64_t j) {
    double& value = values[static_cast<std::size_t>(i)];
    value -= mean[static_cast<std::size_t>(j)];
    square[static_cast<std::size_t>(j)] += value * value / size;
  });
  for_each_strided(x.dims(), 0, strides, [&](std::int64_t i, std::int64_t j) {
    values[static_cast<std::size_t>(i)] /= std::sqrt(square[static_cast<std::size_t>(j)]) + kEpsilon;
  });
  return {from_doubles(x.dtype(), x.dims(), values)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const std::int64_t rank = ctx.inputs[0].shape.rank();
  std::vector<std::int64_t> normalized = ctx.node.ints_or("axes", kDefaultAxes);
  for (std::int64_t& axis : normalized) axis += axis < 0 ? rank : 0;
  return axes_all_but(ctx, normalized);
}

}  // namespace

extern const Operator kMeanVarianceNormalization = {
    .op_type = "MeanVarianceNormalization",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axes"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
