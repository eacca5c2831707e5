#include "ir/ops/common/softmax.h"

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

void infer_softmax(InferContext& ctx) {
  infer_same(ctx);
  const Shape& x = ctx.in(0).shape;
  if (x.ranked() && x.rank() > 0)
    normalize_axis(ctx, ctx.node.int_or("axis", ctx.opset < 13 ? 1 : -1), x.rank() + (ctx.opset < 13 ? 1 : 0));
}

std::vector<Tensor> evaluate_softmax(const EvaluateContext& ctx, void (*normalize)(std::span<double> line)) {
  const Tensor& x = ctx.in(0);
  const bool old = ctx.opset < 13;
  const std::int64_t given = ctx.node.int_or("axis", old ? 1 : -1);
  const std::int64_t axis = given < 0 ? given + x.rank() : given;
  if (axis < 0 || axis >= x.rank() + (old ? 1 : 0))
    ctx.fail("axis out of range", "an axis of rank " + std::to_string(x.rank()), std::to_string(given));
  std::vector<double> values = to_doubles(x);
  std::int64_t length = 1, stride = 1;
  for (std::int64_t i = axis; i < x.rank() && (old || i == axis); ++i) length *= x.dim(i);
  for (std::int64_t i = axis + 1; i < x.rank() && !old; ++i) stride *= x.dim(i);
  std::vector<double> line(static_cast<std::size_t>(length));
  const std::int64_t lines = length == 0 ? 0 : x.numel() / length;
  for (std::int64_t l = 0; l < lines; ++l) {
    const std::int64_t start = l / stride * stride * length + l % stride;
    for (std::int64_t i = 0; i < length; ++i)
      line[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>(start + i * stride)];
    normalize(line);
    for (std::int64_t i = 0; i < length; ++i)
      values[static_cast<std::size_t>(start + i * stride)] = line[static_cast<std::size_t>(i)];
  }
  return {from_doubles(x.dtype(), x.dims(), values)};
}

std::vector<AxisRelation> axes_softmax(const AxesContext& ctx) {
  const Shape& x = ctx.inputs[0].shape;
  std::vector<std::int64_t> mixed;
  if (!x.ranked()) return {};
  // It sums along its axis; before opset 13 along all axes from there on, which start at 1 where none is given.
  const std::int64_t given = ctx.node.int_or("axis", 1), first = given < 0 ? given + x.rank() : given;
  for (std::int64_t axis = first; axis < x.rank(); ++axis) mixed.push_back(axis);
  return axes_all_but(ctx, mixed);
}

}  // namespace pare::ir::ops
