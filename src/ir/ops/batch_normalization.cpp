// BatchNormalization (inference): y = (x − mean) / sqrt(var + epsilon) · scale + B per channel (Ioffe and Szegedy,
// 2015).
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/refusal.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  infer_same(ctx);
  require_rank_at_least(ctx, 0, 2);
  for (std::size_t slot = 1; slot < 5; ++slot) {
    const Shape& shape = ctx.in(slot).shape;
    if (shape.ranked() && shape.rank() != 1)
      ctx.fail("input " + std::to_string(slot) + " has the wrong rank", "1", to_string(shape));
    if (shape.ranked() && x.ranked())
      require_same(ctx, x[1], shape[0], "length of input " + std::to_string(slot) + " differs from the channels");
    if (slot >= 3) set_output(ctx, slot - 2, ctx.in(slot).dtype, shape);
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  if (ctx.opset >= 14 && ctx.node.int_or("training_mode", 0) != 0) {
    refuse(ctx, "BatchNormalization in training mode");
  }
  if (ctx.opset < 9 && ctx.node.int_or("spatial", 1) == 0) {
    refuse(ctx, "BatchNormalization with spatial = 0");
  }
  const Tensor& x = ctx.in(0);
  const std::vector<double> scale = to_doubles(ctx.in(1)), shift = to_doubles(ctx.in(2)), mean = to_doubles(ctx.in(3)),
                            var = to_doubles(ctx.in(4));
  const double epsilon = ctx.node.float_or("epsilon", 1e-5F);
  std::vector<double> values = to_doubles(x);
  const auto channels = static_cast<std::size_t>(x.rank() > 1 ? x.dim(1) : 1);
  if (scale.size() != channels)
    ctx.fail("length of input 1 differs from the channels", std::to_string(channels), std::to_string(scale.size()));
  const std::size_t plane = values.empty() ? 1 : values.size() / (static_cast<std::size_t>(x.dim(0)) * channels);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t c = i / plane % channels;
    values[i] = (values[i] - mean[c]) / std::sqrt(var[c] + epsilon) * scale[c] + shift[c];
  }
  return {from_doubles(x.dtype(), x.dims(), values)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  if (ctx.node.int_or("training_mode", 0) == 0)
    out = axes_all_but(ctx, {});
  else  // moments over all other axes
    out = {input_axis(0, 1, 1), output_axis(0, 1, 1)};
  for (std::size_t slot = 1; slot < 5; ++slot) out.push_back(input_axis(slot, 0, 1));
  return out;
}

}  // namespace

extern const Operator kBatchNormalization = {
    .op_type = "BatchNormalization",
    .since = 7,
    .min_inputs = 5,
    .max_inputs = 5,
    .max_outputs = 5,
    .attributes = {"epsilon", "momentum", "spatial", "training_mode"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
