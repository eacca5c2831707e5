#include "ir/ops/common/normalize.h"

#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

Moments moments(std::span<const double> group, double epsilon) {
  double mean = 0, variance = 0;
  for (double x : group) mean += x;
  mean /= static_cast<double>(group.size());
  for (double x : group) variance += (x - mean) * (x - mean);
  return {mean, 1 / std::sqrt(variance / static_cast<double>(group.size()) + epsilon)};
}

std::int64_t first_normalized_axis(const InferContext& ctx) {
  return normalize_axis(ctx, ctx.node.int_or("axis", -1), ctx.in(0).shape.rank());
}

std::int64_t first_normalized_axis(const EvaluateContext& ctx) {
  return normalize_axis(ctx, ctx.node.int_or("axis", -1), ctx.in(0).rank());
}

void check_affine(const InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  for (std::size_t slot = 1; x.ranked() && slot < ctx.inputs.size(); ++slot) {
    const Shape& shape = ctx.in(slot).shape;
    if (!ctx.has(slot) || !shape.ranked()) continue;
    const std::string which = "input " + std::to_string(slot) + " does not broadcast to the input";
    if (shape.rank() > x.rank()) ctx.fail(which, to_string(x), to_string(shape));
    for (std::int64_t i = 1; i <= shape.rank(); ++i) {
      const Dim &own = shape[shape.rank() - i], &whole = x[x.rank() - i];
      if (own.is_known() && own.value() != 1 && whole.is_known() && own.value() != whole.value())
        ctx.fail(which, to_string(x), to_string(shape));
    }
  }
}

void apply_affine(const EvaluateContext& ctx, std::vector<double>& values) {
  const Dims& dims = ctx.in(0).dims();
  for (std::size_t slot = 1; slot < 3; ++slot) {
    if (!ctx.has(slot)) continue;
    Dims both;
    if (!broadcast_dims(dims, ctx.in(slot).dims(), both) || both != dims)
      ctx.fail("input " + std::to_string(slot) + " does not broadcast to the input", to_string(dims),
               to_string(ctx.in(slot).dims()));
    const std::vector<double> factors = to_doubles(ctx.in(slot));
    for_each_strided(dims, 0, broadcast_strides(ctx.in(slot).dims(), dims), [&](std::int64_t i, std::int64_t j) {
      double& value = values[static_cast<std::size_t>(i)];
      const double factor = factors[static_cast<std::size_t>(j)];
      value = slot == 1 ? value * factor : value + factor;
    });
  }
}

std::vector<AxisRelation> axes_layer_norm(const AxesContext& ctx) {
  const Shape& x = ctx.inputs[0].shape;
  if (!x.ranked()) return {};
  const std::int64_t given = ctx.node.int_or("axis", -1), axis = given < 0 ? given + x.rank() : given;
  std::vector<std::int64_t> normalized;
  for (std::int64_t i = axis; i < x.rank(); ++i) normalized.push_back(i);
  return axes_all_but(ctx, normalized);
}

}  // namespace pare::ir::ops
