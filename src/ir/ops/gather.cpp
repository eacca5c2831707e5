// Gather: entries of an axis by index (negative ones count from the end); the axis becomes the axes of the indices.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// Entries of a shape: the elements follow.
void infer_elements(InferContext& ctx) {
  const auto& elements = ctx.in(0).elements;
  const auto indices = known_ints(ctx, 1);
  if (!elements || !indices || ctx.in(0).shape.rank() != 1 || ctx.in(1).shape.rank() > 1) return;
  std::vector<Dim> out;
  for (std::int64_t index : *indices) {
    out.push_back(
        (*elements)[static_cast<std::size_t>(normalize_axis(ctx, index, static_cast<std::int64_t>(elements->size())))]);
  }
  ctx.outputs[0].elements = std::move(out);
}

void infer(InferContext& ctx) {
  const Shape &x = ctx.in(0).shape, &indices = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  require_rank_at_least(ctx, 0, 1);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  if (!indices.ranked()) return;
  std::vector<Dim> dims(x.dims().begin(), x.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), x.dims().begin() + axis + 1, x.dims().end());
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
  infer_elements(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  std::vector<std::int64_t> indices = to_ints(ctx.in(1));
  const std::int64_t size = x.dim(axis), stride = strides_of(x.dims())[static_cast<std::size_t>(axis)];
  for (std::int64_t& index : indices) {
    if (index < -size || index >= size)
      ctx.fail("index out of range", std::to_string(-size) + " to " + std::to_string(size - 1), std::to_string(index));
    if (index < 0) index += size;
  }
  Dims dims(x.dims().begin(), x.dims().begin() + axis);
  dims.insert(dims.end(), ctx.in(1).dims().begin(), ctx.in(1).dims().end());
  dims.insert(dims.end(), x.dims().begin() + axis + 1, x.dims().end());
  const auto count = static_cast<std::int64_t>(indices.size());
  return {pick({&x, 1}, dims, [&](std::int64_t i) {
    const std::int64_t inner = i % stride, which = i / stride % count, outer = i / stride / count;
    return std::pair<std::size_t, std::int64_t>(
        0, (outer * size + indices[static_cast<std::size_t>(which)]) * stride + inner);
  })};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Shape &x = ctx.inputs[0].shape, &indices = ctx.inputs[1].shape;
  std::vector<AxisRelation> out;
  if (!x.ranked() || !indices.ranked()) return out;
  const std::int64_t given = ctx.node.int_or("axis", 0), axis = given < 0 ? given + x.rank() : given;
  for (std::int64_t i = 0; i < x.rank(); ++i) {
    if (i == axis) continue;
    out.push_back(input_axis(0, i, static_cast<int>(i)));
    out.push_back(output_axis(0, i < axis ? i : i - 1 + indices.rank(), static_cast<int>(i)));
  }
  for (std::int64_t i = 0; i < indices.rank(); ++i) {
    const int label = static_cast<int>(x.rank() + i);
    out.push_back(input_axis(1, i, label));
    out.push_back(output_axis(0, axis + i, label));
  }
  return out;
}

}  // namespace

extern const Operator kGather = {
    .op_type = "Gather",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
