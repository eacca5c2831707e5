// InstanceNormalization: y = (x − mean) / √(variance + epsilon) · scale + bias, moments of each [n, c] plane (Ulyanov
// et al., 2016).
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/normalize.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  require_rank_at_least(ctx, 0, 3);
  const Shape& x = ctx.in(0).shape;
  for (std::size_t slot = 1; slot < 3; ++slot) {
    const Shape& shape = ctx.in(slot).shape;
    if (shape.ranked() && shape.rank() != 1)
      ctx.fail("input " + std::to_string(slot) + " has the wrong rank", "1", to_string(shape));
    if (shape.ranked() && x.ranked())
      require_same(ctx, x[1], shape[0], "length of input " + std::to_string(slot) + " differs from the channels");
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  if (x.rank() < 3) ctx.fail("input has too few axes", "rank 3 or more", to_string(x.dims()));
  const double epsilon = ctx.node.float_or("epsilon", 1e-5F);
  const std::vector<double> scale = to_doubles(ctx.in(1)), bias = to_doubles(ctx.in(2));
  const auto channels = static_cast<std::size_t>(x.dim(1));
  if (scale.size() != channels || bias.size() != channels)
    ctx.fail("length of scale or bias differs from the channels", std::to_string(channels),
             std::to_string(scale.size()) + " and " + std::to_string(bias.size()));
  std::vector<double> values = to_doubles(x);
  const std::size_t planes = static_cast<std::size_t>(x.dim(0)) * channels,
                    size = planes == 0 ? 0 : values.size() / planes;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const std::span<double> group = std::span(values).subspan(plane * size, size);
    const Moments m = moments(group, epsilon);
    const std::size_t c = plane % channels;
    for (double& value : group) value = (value - m.mean) * m.inverse * scale[c] + bias[c];
  }
  return {from_doubles(x.dtype(), x.dims(), values)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<AxisRelation> out = axes_pooling(ctx);
  for (std::size_t slot = 1; slot < 3; ++slot) out.push_back(input_axis(slot, 0, 1));
  return out;
}

}  // namespace

extern const Operator kInstanceNormalization = {
    .op_type = "InstanceNormalization",
    .since = 6,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"epsilon"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
