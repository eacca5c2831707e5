// GroupNormalization: y = (x − mean) / √(variance + epsilon) · scale + bias, moments of each group of channels (Wu and
// He, 2018). Scale and bias have one entry a group up to opset 20, one a channel from 21.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/normalize.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kScalePerChannelSince = 21;

void infer(InferContext& ctx) {
  infer_same(ctx);
  require_rank_at_least(ctx, 0, 2);
  const std::int64_t groups = required_int(ctx, "num_groups");
  const Shape& x = ctx.in(0).shape;
  if (groups < 1) ctx.fail("attribute 'num_groups' is out of range", "1 or more", std::to_string(groups));
  if (!x.ranked()) return;
  if (x[1].is_known() && x[1].value() % groups != 0)
    ctx.fail("channels are not a multiple of num_groups", "a multiple of " + std::to_string(groups), to_string(x[1]));
  const Dim length = ctx.opset < kScalePerChannelSince ? Dim(groups) : x[1];
  for (std::size_t slot = 1; slot < 3; ++slot) {
    const Shape& shape = ctx.in(slot).shape;
    if (shape.ranked() && shape.rank() != 1)
      ctx.fail("input " + std::to_string(slot) + " has the wrong rank", "1", to_string(shape));
    if (shape.ranked()) require_same(ctx, length, shape[0], "length of input " + std::to_string(slot) + " differs");
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t groups = ctx.node.int_or("num_groups", 1), channels = x.dim(1);
  const double epsilon = ctx.node.float_or("epsilon", 1e-5F);
  if (groups < 1 || channels % groups != 0)
    ctx.fail("channels are not a multiple of num_groups", "a multiple of " + std::to_string(groups),
             std::to_string(channels));
  const std::vector<double> scale = to_doubles(ctx.in(1)), bias = to_doubles(ctx.in(2));
  const std::int64_t length = ctx.opset < kScalePerChannelSince ? groups : channels;
  if (static_cast<std::int64_t>(scale.size()) != length || scale.size() != bias.size())
    ctx.fail("scale and bias have the wrong length", std::to_string(length),
             std::to_string(scale.size()) + " and " + std::to_string(bias.size()));
  std::vector<double> values = to_doubles(x);
  const auto parts = static_cast<std::size_t>(x.dim(0) * groups);
  const std::size_t size = parts == 0 ? 0 : values.size() / parts,
                    plane = size == 0 ? 1 : size / static_cast<std::size_t>(channels / groups);
  for (std::size_t part = 0; part < parts; ++part) {
    const std::span<double> group = std::span(values).subspan(part * size, size);
    const Moments m = moments(group, epsilon);
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t g = part % static_cast<std::size_t>(groups),
                        c = length == groups ? g : g * (size / plane) + i / plane;
      group[i] = (group[i] - m.mean) * m.inverse * scale[c] + bias[c];
    }
  }
  return {from_doubles(x.dtype(), x.dims(), values)};
}

/// Whole groups go: a channel less would change the moments of the others of its group.
std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Shape& x = ctx.inputs[0].shape;
  const std::int64_t groups = ctx.node.int_or("num_groups", 1);
  std::vector<AxisRelation> out = axes_all_but(ctx, {1});
  if (!x.ranked() || x.rank() < 2 || !x[1].is_known() || groups < 1 || x[1].value() % groups != 0) return out;
  const std::int64_t each = x[1].value() / groups;
  out.push_back(input_axis(0, 1, 1, Kind::kSame, each));
  out.push_back(output_axis(0, 1, 1, Kind::kSame, each));
  for (std::size_t slot = 1; slot < 3; ++slot) {
    const Shape& vector = ctx.inputs[slot].shape;
    const bool by_group = vector.ranked() && vector.rank() == 1 && vector[0] == Dim(groups);
    out.push_back(input_axis(slot, 0, 1, Kind::kSame, by_group ? 1 : each));
  }
  return out;
}

}  // namespace

extern const Operator kGroupNormalization = {
    .op_type = "GroupNormalization",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"epsilon", "num_groups", "stash_type"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
