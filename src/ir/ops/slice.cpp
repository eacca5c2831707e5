// Slice: numpy slicing of some axes. Bounds are attributes before opset 10, inputs (with steps) from it.
#include <algorithm>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/slicing.h"

namespace pare::ir::ops {
namespace {

/// A slice of an axis of unknown size keeps it only when it takes everything.
Dim sliced(const Dim& dim, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (dim.is_known()) return Dim(cut(dim.value(), start, end, step).length);
  return start == 0 && end >= INT32_MAX && step == 1 ? dim : Dim();
}

/// Slicing a shape: the elements follow.
void infer_elements(InferContext& ctx, const SliceBounds& bounds) {
  const auto& elements = ctx.in(0).elements;
  if (!elements || bounds.starts.size() != 1 || ctx.in(0).shape.rank() != 1) return;
  const Cut c = cut(static_cast<std::int64_t>(elements->size()), bounds.starts[0], bounds.ends[0], bounds.steps[0]);
  std::vector<Dim> out;
  for (std::int64_t i = 0; i < c.length; ++i)
    out.push_back((*elements)[static_cast<std::size_t>(c.start + i * c.step)]);
  ctx.outputs[0].elements = std::move(out);
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  const bool inputs = ctx.opset >= 10;
  const auto starts = ints_of(ctx, "starts", 1, inputs), ends = ints_of(ctx, "ends", 2, inputs);
  const auto axes = ints_of(ctx, "axes", 3, inputs), steps = ints_of(ctx, "steps", 4, inputs);
  std::vector<Dim> dims = x.dims();
  if (!axes) {
    set_output(ctx, 0, ctx.in(0).dtype, Shape(std::vector<Dim>(dims.size())));
    return;
  }
  if (!starts || !ends || !steps) {
    if (axes->empty()) dims.assign(dims.size(), Dim());
    for (std::int64_t axis : *axes) dims[static_cast<std::size_t>(normalize_axis(ctx, axis, x.rank()))] = Dim();
    set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
    return;
  }
  SliceBounds bounds{*starts, *ends, *axes, *steps};
  complete_bounds(ctx, bounds, x.rank());
  for (std::size_t i = 0; i < bounds.axes.size(); ++i) {
    Dim& dim = dims[static_cast<std::size_t>(bounds.axes[i])];
    dim = sliced(dim, bounds.starts[i], bounds.ends[i], bounds.steps[i]);
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
  infer_elements(ctx, bounds);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const SliceView view = slice_view(ctx, ctx.in(0).dims());
  return {strided(ctx.in(0), view.dims, view.offset, view.strides)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Shape &x = ctx.inputs[0].shape, &y = ctx.outputs[0].shape;
  std::vector<std::int64_t> changed;
  if (!x.ranked() || !y.ranked()) return {};
  std::vector<std::int64_t> cut_axes = ctx.node.ints_or("axes", {});
  const bool by_input = ctx.node.input(3) != kNoValue, known = by_input && ctx.inputs[3].constant != nullptr;
  if (known) cut_axes = to_ints(*ctx.inputs[3].constant);
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool named = (by_input ? !known : cut_axes.empty()) ||
                       std::ranges::any_of(cut_axes, [&](std::int64_t a) { return a == axis || a + x.rank() == axis; });
    // A reversed axis keeps its size but not its order: a cut axis is never the same.
    if (named) changed.push_back(axis);
  }
  return axes_all_but(ctx, changed);
}

}  // namespace

extern const Operator kSlice = {
    .op_type = "Slice",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 5,
    .attributes = {"axes", "ends", "starts"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
