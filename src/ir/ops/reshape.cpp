// Reshape: the shape is an input; 0 copies a dimension (unless allowzero), −1 takes what is left.
#include "ir/ops/common/reshape.h"

namespace pare::ir::ops {
namespace {

/// A target without −1 must hold as many elements as the input.
void check_count(const InferContext& ctx, const Shape& in, const Shape& out) {
  if (!in.is_static() || !out.is_static()) return;
  const Dim from = product(in.dims()), to = product(out.dims());  // unknown: past 63 bits
  if (from.is_known() && from != to)
    ctx.fail("the elements do not fit the shape", to_string(from) + " elements", to_string(out));
}

/// Target with full constants: −1 and 0 are told apart.
Shape exact(const InferContext& ctx, const Shape& in, const std::vector<std::int64_t>& target) {
  const bool zero_is_zero = ctx.node.int_or("allowzero", 0) != 0;
  std::vector<Dim> dims, taken;
  std::int64_t open = -1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i);
    if (target[i] < -1) ctx.fail("target dimension is out of range", "-1 or more", std::to_string(target[i]));
    if (target[i] == -1 && open >= 0) ctx.fail("target shape has more than one -1");
    if (target[i] == -1) {
      open = axis;
      dims.emplace_back();
      continue;
    }
    const bool copies = target[i] == 0 && !zero_is_zero;
    if (copies && in.ranked() && axis >= in.rank())
      ctx.fail("target 0 copies a dimension that the input lacks", "axis below " + std::to_string(in.rank()),
               std::to_string(axis));
    dims.push_back(!copies ? Dim(target[i]) : in.ranked() ? in[axis] : Dim());
    taken.push_back(dims.back());
  }
  // An unknown dimension that 0 copies cancels on both sides.
  if (open >= 0 && in.ranked()) {
    std::vector<Dim> rest_in = in.dims(), rest_taken;
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (static_cast<std::int64_t>(i) == open) continue;
      if (target[i] == 0 && !zero_is_zero)
        rest_in[i] = Dim(1);
      else
        rest_taken.push_back(dims[i]);
    }
    dims[static_cast<std::size_t>(open)] = remaining(ctx, Shape(std::move(rest_in)), rest_taken);
  }
  return Shape(std::move(dims));
}

/// Target with symbols: one unknown element is what is left, be it −1 or a number.
Shape partial(const InferContext& ctx, const Shape& in, std::vector<Dim> target) {
  std::int64_t open = -1, opens = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == Dim(0) && ctx.node.int_or("allowzero", 0) == 0) {
      target[i] = in.ranked() && static_cast<std::int64_t>(i) < in.rank() ? in[static_cast<std::int64_t>(i)] : Dim();
    } else if (target[i].is_unknown()) {
      open = static_cast<std::int64_t>(i);
      ++opens;
    }
  }
  if (opens == 1) {
    std::vector<Dim> taken = target;
    taken.erase(taken.begin() + open);
    target[static_cast<std::size_t>(open)] = remaining(ctx, in, taken);
  }
  return Shape(std::move(target));
}

void infer(InferContext& ctx) {
  const Shape& in = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (const auto target = known_ints(ctx, 1)) {
    Shape out = exact(ctx, in, *target);
    check_count(ctx, in, out);
    set_reshaped(ctx, std::move(out));
  } else if (const auto dims = known_dims(ctx, 1)) {
    set_reshaped(ctx, partial(ctx, in, *dims));
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  Dims dims = to_ints(ctx.in(1));
  std::int64_t open = -1, taken = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && ctx.node.int_or("allowzero", 0) == 0) {
      if (static_cast<std::int64_t>(i) >= x.rank())
        ctx.fail("target 0 copies a dimension that the input lacks", "axis below " + std::to_string(x.rank()),
                 std::to_string(i));
      dims[i] = x.dim(static_cast<std::int64_t>(i));
    }
    if (dims[i] == -1) {
      if (open >= 0) ctx.fail("target shape has more than one -1");
      open = static_cast<std::int64_t>(i);
    } else if (dims[i] < 0) {
      ctx.fail("target dimension is out of range", "-1 or more", std::to_string(dims[i]));
    } else if (dims[i] == 0) {
      taken = 0;
    } else if (__builtin_mul_overflow(taken, dims[i], &taken)) {
      ctx.fail("the elements do not fit the shape", std::to_string(x.numel()) + " elements", to_string(dims));
    }
  }
  if (open >= 0) dims[static_cast<std::size_t>(open)] = taken == 0 ? 0 : x.numel() / taken;
  if (element_count(dims) != x.numel())
    ctx.fail("the elements do not fit the shape", std::to_string(x.numel()) + " elements", to_string(dims));
  return {x.reshaped(dims)};
}

}  // namespace

extern const Operator kReshape = {
    .op_type = "Reshape",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"allowzero"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_reshape,
};

}  // namespace pare::ir::ops
