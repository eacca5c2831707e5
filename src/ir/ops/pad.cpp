// Pad: constant, reflect, edge and (opset 19) wrap; negative pads crop. Opset < 11: pads and value are attributes; 18:
// axes.
#include <algorithm>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// Pads of every axis: all begins, then all ends.
template <class Context>
std::vector<std::int64_t> spread(const Context& ctx, const std::vector<std::int64_t>& pads,
                                 const std::vector<std::int64_t>& axes, std::int64_t rank) {
  const std::size_t count = axes.empty() ? static_cast<std::size_t>(rank) : axes.size();
  if (pads.size() != 2 * count)
    ctx.fail("pads have the wrong length", std::to_string(2 * count), std::to_string(pads.size()));
  if (axes.empty()) return pads;
  std::vector<std::int64_t> out(static_cast<std::size_t>(2 * rank));
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t axis = normalize_axis(ctx, axes[i], rank);
    out[static_cast<std::size_t>(axis)] = pads[i];
    out[static_cast<std::size_t>(axis + rank)] = pads[i + count];
  }
  return out;
}

/// The size of an axis with its pads.
template <class Context>
std::int64_t padded(const Context& ctx, std::size_t axis, std::int64_t size, std::int64_t begin, std::int64_t end) {
  std::int64_t out = 0;
  if (__builtin_add_overflow(size, begin, &out) || __builtin_add_overflow(out, end, &out))
    ctx.fail("pads of axis " + std::to_string(axis) + " are out of range", "sizes of 63 bits",
             std::to_string(begin) + " and " + std::to_string(end));
  if (out < 0)
    ctx.fail("pads crop more than axis " + std::to_string(axis) + " holds", std::to_string(size) + " at most",
             std::to_string(begin) + " and " + std::to_string(end));
  return out;
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  const auto pads = ints_of(ctx, "pads", 1, ctx.opset >= 11);
  const auto axes = ints_of(ctx, "axes", 3, true);
  std::vector<Dim> dims(static_cast<std::size_t>(x.rank()));
  if (pads && axes) {
    const std::vector<std::int64_t> all = spread(ctx, *pads, *axes, x.rank());
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const std::int64_t begin = all[i], end = all[i + dims.size()];
      const Dim& dim = x[static_cast<std::int64_t>(i)];
      if (dim.is_known())
        dims[i] = Dim(padded(ctx, i, dim.value(), begin, end));
      else if (std::int64_t grow = 0; !__builtin_add_overflow(begin, end, &grow) && grow == 0)
        dims[i] = dim;
    }
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

/// Source coordinate on an axis of `size`; −1: the constant.
std::int64_t source(const std::string& mode, std::int64_t at, std::int64_t size) {
  if (at >= 0 && at < size) return at;
  if (mode == "edge") return std::clamp<std::int64_t>(at, 0, size - 1);
  if (mode == "wrap") return (at % size + size) % size;
  if (mode == "reflect") {
    if (size == 1) return 0;
    const std::int64_t period = 2 * (size - 1), phase = (at % period + period) % period;
    return phase < size ? phase : period - phase;
  }
  return -1;
}

Tensor fill_value(const EvaluateContext& ctx) {
  const DType dtype = ctx.in(0).dtype();
  if (ctx.opset < 11) return from_doubles(dtype, {1}, std::vector<double>{ctx.node.float_or("value", 0)});
  if (ctx.has(2) && ctx.in(2).numel() != 1)
    ctx.fail("constant_value has the wrong shape", "a scalar", to_string(ctx.in(2).dims()));
  return ctx.has(2) ? ctx.in(2) : dtype == DType::kString ? Tensor::strings({1}, {""}) : Tensor(dtype, {1});
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::string mode = ctx.node.string_or("mode", "constant");
  static const char* const known[] = {"constant", "reflect", "edge", "wrap"};
  if (std::ranges::find(known, mode) == std::end(known))
    ctx.fail("attribute 'mode' is not known", "constant, reflect, edge or wrap", mode);
  const std::vector<std::int64_t> pads =
      spread(ctx, ints_of(ctx, "pads", 1, ctx.opset >= 11), ints_of(ctx, "axes", 3, true), x.rank());
  Dims dims = x.dims();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && mode != "constant") ctx.fail("an empty axis cannot be padded by " + mode);
    dims[i] = padded(ctx, i, dims[i], pads[i], pads[i + dims.size()]);
  }
  require_room(ctx, dims);
  const Dims strides = strides_of(dims), from = strides_of(x.dims());
  const Tensor sources[] = {x, fill_value(ctx)};
  return {pick(sources, dims, [&](std::int64_t i) {
    std::int64_t index = 0;
    for (std::size_t a = 0; a < dims.size(); ++a) {
      const std::int64_t at = source(mode, i / strides[a] % dims[a] - pads[a], x.dims()[a]);
      if (at < 0) return std::pair<std::size_t, std::int64_t>(1, 0);
      index += at * from[a];
    }
    return std::pair<std::size_t, std::int64_t>(0, index);
  })};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Shape &x = ctx.inputs[0].shape, &y = ctx.outputs[0].shape;
  std::vector<std::int64_t> changed;
  for (std::int64_t axis = 0; x.ranked() && y.ranked() && axis < x.rank(); ++axis) {
    if (!x[axis].same_as(y[axis])) changed.push_back(axis);
  }
  return axes_all_but(ctx, changed);
}

}  // namespace

extern const Operator kPad = {
    .op_type = "Pad",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 4,
    .attributes = {"mode", "pads", "value"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
