// Tile: the input repeated along each axis as often as `repeats` says.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  std::vector<Dim> dims(x.dims().size());
  if (const auto repeats = known_dims(ctx, 1)) {
    if (repeats->size() != dims.size())
      ctx.fail("repeats have the wrong length", std::to_string(dims.size()), std::to_string(repeats->size()));
    for (std::size_t i = 0; i < dims.size(); ++i) {
      const Dim &size = x.dims()[i], &times = (*repeats)[i];
      std::int64_t both = 0;
      if (times == Dim(1)) {
        dims[i] = size;
      } else if (size == Dim(1)) {
        dims[i] = times;
      } else if (times.is_known() && size.is_known()) {
        if (__builtin_mul_overflow(size.value(), times.value(), &both))
          ctx.fail("repeats are too large", "", to_string(times));
        dims[i] = Dim(both);
      }
    }
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<std::int64_t> repeats = to_ints(ctx.in(1));
  Dims dims = x.dims(), split_dims, split_strides;
  if (repeats.size() != dims.size())
    ctx.fail("repeats have the wrong length", std::to_string(dims.size()), std::to_string(repeats.size()));
  const Dims strides = strides_of(dims);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    split_dims.insert(split_dims.end(), {repeats[i], dims[i]});
    split_strides.insert(split_strides.end(), {0, strides[i]});
    if (repeats[i] < 0) ctx.fail("repeats are out of range", "0 or more", std::to_string(repeats[i]));
    if (__builtin_mul_overflow(dims[i], repeats[i], &dims[i]))
      ctx.fail("repeats are too large", "", std::to_string(repeats[i]));
  }
  require_room(ctx, dims);
  return {strided(x, split_dims, 0, split_strides).reshaped(dims)};
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

extern const Operator kTile = {
    .op_type = "Tile",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
