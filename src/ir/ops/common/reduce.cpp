#include "ir/ops/common/reduce.h"

#include <algorithm>
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// Which axes are reduced. An empty list means all, or none with noop_with_empty_axes.
template <class Context>
std::vector<bool> reduced_axes(const Context& ctx, const std::vector<std::int64_t>& axes, std::int64_t rank) {
  const bool all = axes.empty() && ctx.node.int_or("noop_with_empty_axes", 0) == 0;
  std::vector<bool> reduced(static_cast<std::size_t>(rank), all);
  for (std::int64_t axis : axes) reduced[static_cast<std::size_t>(normalize_axis(ctx, axis, rank))] = true;
  return reduced;
}

/// Bounds of an integer type, exactly; the infinities that start an empty minimum or maximum become them.
std::pair<long double, long double> bounds(DType dtype) {
  if (dtype == DType::kBool) return {0, 1};
  const bool is_unsigned = name(dtype).starts_with("u");
  const int width = bits(dtype) - (is_unsigned ? 0 : 1);
  return {is_unsigned ? 0 : -std::ldexp(1.0L, width), std::ldexp(1.0L, width) - 1};
}

Tensor narrow(DType dtype, Dims dims, const std::vector<long double>& values) {
  if (is_integer(dtype) || dtype == DType::kBool) {
    const auto [low, high] = bounds(dtype);
    std::vector<std::int64_t> out;
    for (long double v : values) {
      if (std::isinf(v)) v = v < 0 ? low : high;
      out.push_back(dtype == DType::kUint64 ? static_cast<std::int64_t>(static_cast<std::uint64_t>(v))
                                            : static_cast<std::int64_t>(v));
    }
    return from_ints(dtype, std::move(dims), out);
  }
  return from_doubles(dtype, std::move(dims), std::vector<double>(values.begin(), values.end()));
}

}  // namespace

void infer_reduction(InferContext& ctx, std::int64_t axes_input_since) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  const bool keep = ctx.node.int_or("keepdims", 1) != 0;
  const auto axes = ints_of(ctx, "axes", 1, ctx.opset >= axes_input_since);
  if (!axes) {
    if (keep) set_output(ctx, 0, ctx.in(0).dtype, Shape(std::vector<Dim>(static_cast<std::size_t>(x.rank()))));
    return;
  }
  const std::vector<bool> reduced = reduced_axes(ctx, *axes, x.rank());
  std::vector<Dim> dims;
  for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
    if (!reduced[axis])
      dims.push_back(x[static_cast<std::int64_t>(axis)]);
    else if (keep)
      dims.push_back(Dim(1));
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate_reduction(const EvaluateContext& ctx, std::int64_t axes_input_since,
                                       const Reduction& reduction) {
  const Tensor& x = ctx.in(0);
  const bool keep = ctx.node.int_or("keepdims", 1) != 0;
  const std::vector<std::int64_t> axes = ints_of(ctx, "axes", 1, ctx.opset >= axes_input_since);
  if (axes.empty() && ctx.node.int_or("noop_with_empty_axes", 0) != 0) return {x};
  const std::vector<bool> reduced = reduced_axes(ctx, axes, x.rank());
  Dims kept = x.dims(), dims;
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < reduced.size(); ++axis) {
    if (reduced[axis]) {
      count *= kept[axis];
      kept[axis] = 1;
    }
    if (!reduced[axis] || keep) dims.push_back(kept[axis]);
  }
  const std::vector<long double> values = to_exact(x);
  std::vector<long double> out(static_cast<std::size_t>(element_count(kept)), reduction.start);
  for_each_strided(x.dims(), 0, broadcast_strides(kept, x.dims()), [&](std::int64_t i, std::int64_t j) {
    long double& sum = out[static_cast<std::size_t>(j)];
    sum = reduction.step(sum, values[static_cast<std::size_t>(i)]);
  });
  if (reduction.finish != nullptr) {
    for (long double& sum : out) sum = reduction.finish(sum, count);
  }
  return {narrow(x.dtype(), dims, out)};
}

std::vector<AxisRelation> axes_reduction(const AxesContext& ctx, bool linear) {
  const Shape& x = ctx.inputs[0].shape;
  std::vector<AxisRelation> out;
  if (!x.ranked()) return out;
  std::vector<std::int64_t> axes = ctx.node.ints_or("axes", {});
  if (ctx.node.input(1) != kNoValue) {
    if (ctx.inputs[1].constant == nullptr) return out;
    axes = to_ints(*ctx.inputs[1].constant);
  }
  const bool all = axes.empty() && ctx.node.int_or("noop_with_empty_axes", 0) == 0,
             keep = ctx.node.int_or("keepdims", 1) != 0;
  std::int64_t to = 0;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool reduced =
        all || std::ranges::any_of(axes, [&](std::int64_t a) { return a == axis || a + x.rank() == axis; });
    if (!reduced) {
      out.push_back(input_axis(0, axis, static_cast<int>(axis)));
      out.push_back(output_axis(0, to, static_cast<int>(axis)));
    } else if (linear) {
      out.push_back(input_axis(0, axis, static_cast<int>(axis), Kind::kContracted));
    }
    if (!reduced || keep) ++to;
  }
  return out;
}

}  // namespace pare::ir::ops
