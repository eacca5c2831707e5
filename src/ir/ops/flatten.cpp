// Flatten: the axes before `axis` become rows, the others columns.
#include "ir/ops/common/reshape.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::vector<Dim>(2)));
  if (!x.ranked()) return;
  const std::int64_t given = ctx.node.int_or("axis", 1);
  const std::int64_t axis = given == x.rank() ? given : normalize_axis(ctx, given, x.rank());
  const std::span<const Dim> dims(x.dims());
  const auto rows = static_cast<std::size_t>(axis);
  set_reshaped(ctx, Shape({product(dims.first(rows)), product(dims.subspan(rows))}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t given = ctx.node.int_or("axis", 1);
  const std::int64_t axis = given == x.rank() ? given : normalize_axis(ctx, given, x.rank());
  std::int64_t rows = 1, columns = 1;
  for (std::int64_t i = 0; i < x.rank(); ++i) (i < axis ? rows : columns) *= x.dim(i);
  return {x.reshaped({rows, columns})};
}

}  // namespace

extern const Operator kFlatten = {
    .op_type = "Flatten",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_reshape,
};

}  // namespace pare::ir::ops
