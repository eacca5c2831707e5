#include "ir/ops/common/slicing.h"

#include <algorithm>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class Context>
void complete_with(const Context& ctx, SliceBounds& bounds, std::int64_t rank) {
  const std::size_t count = bounds.starts.size();
  if (bounds.axes.empty()) {
    for (std::size_t i = 0; i < count; ++i) bounds.axes.push_back(static_cast<std::int64_t>(i));
  }
  if (bounds.steps.empty()) bounds.steps.assign(count, 1);
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count)
    ctx.fail("starts, ends, axes and steps differ in length");
  for (std::size_t i = 0; i < count; ++i) {
    bounds.axes[i] = normalize_axis(ctx, bounds.axes[i], rank);
    if (bounds.steps[i] == 0) ctx.fail("step is zero");
  }
}

}  // namespace

Cut cut(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (start < 0) start += size;
  if (end < 0) end += size;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, size);
    end = std::clamp<std::int64_t>(end, 0, size);
    return {start, step, end > start ? (end - start - 1) / step + 1 : 0};
  }
  start = std::clamp<std::int64_t>(start, -1, size - 1);
  end = std::clamp<std::int64_t>(end, -1, size - 1);
  // INT64_MIN has no opposite, so divide by −step through unsigned.
  const std::uint64_t stride = 0 - static_cast<std::uint64_t>(step),
                      room = static_cast<std::uint64_t>(std::max<std::int64_t>(0, start - end));
  return {start, step, static_cast<std::int64_t>(room / stride + (room % stride != 0 ? 1 : 0))};
}

void complete_bounds(const InferContext& ctx, SliceBounds& bounds, std::int64_t rank) {
  complete_with(ctx, bounds, rank);
}

SliceView slice_view(const EvaluateContext& ctx, const Dims& x) {
  const bool inputs = ctx.opset >= 10;
  SliceBounds bounds{ints_of(ctx, "starts", 1, inputs), ints_of(ctx, "ends", 2, inputs),
                     ints_of(ctx, "axes", 3, inputs), ints_of(ctx, "steps", 4, inputs)};
  complete_with(ctx, bounds, static_cast<std::int64_t>(x.size()));
  SliceView view{x, 0, strides_of(x)};
  for (std::size_t i = 0; i < bounds.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(bounds.axes[i]);
    const Cut c = cut(view.dims[axis], bounds.starts[i], bounds.ends[i], bounds.steps[i]);
    view.offset += c.start * view.strides[axis];
    view.dims[axis] = c.length;
    if (c.length > 1) view.strides[axis] *= c.step;
  }
  if (element_count(view.dims) == 0) view.offset = 0;
  return view;
}

}  // namespace pare::ir::ops
