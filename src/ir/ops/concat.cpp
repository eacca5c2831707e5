// Concat: inputs one after the other along an axis.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// Elements of the concatenation of one-dimensional integer inputs.
void infer_elements(InferContext& ctx) {
  std::vector<Dim> elements;
  bool any = false;
  for (std::size_t slot = 0; slot < ctx.inputs.size(); ++slot) {
    any = any || ctx.in(slot).elements.has_value();
    if (!is_integer(ctx.in(slot).dtype)) return;
    const auto part = known_dims(ctx, slot);
    if (!part) return;
    elements.insert(elements.end(), part->begin(), part->end());
  }
  if (any) ctx.outputs[0].elements = std::move(elements);
}

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const std::int64_t given = required_int(ctx, "axis");
  set_output(ctx, 0, ctx.in(0).dtype);
  std::vector<Dim> dims;
  std::int64_t axis = 0;
  bool complete = true;
  Dim length(0);
  for (std::size_t slot = 0; slot < ctx.inputs.size(); ++slot) {
    const Shape& x = ctx.in(slot).shape;
    if (!x.ranked()) {
      complete = false;
      continue;
    }
    if (dims.empty()) {
      axis = normalize_axis(ctx, given, x.rank());
      dims.resize(static_cast<std::size_t>(x.rank()));
    }
    if (x.rank() != static_cast<std::int64_t>(dims.size()))
      ctx.fail("input " + std::to_string(slot) + " has the wrong rank", std::to_string(dims.size()), to_string(x));
    for (std::int64_t i = 0; i < x.rank(); ++i) {
      Dim& dim = dims[static_cast<std::size_t>(i)];
      if (i != axis)
        dim = require_same(ctx, dim, x[i],
                           "axis " + std::to_string(i) + " of input " + std::to_string(slot) + " differs");
    }
    if (length == Dim(0))
      length = x[axis];
    else if (x[axis] != Dim(0))
      length = length.is_known() && x[axis].is_known() ? Dim(length.value() + x[axis].value()) : Dim();
  }
  if (dims.empty()) return;
  dims[static_cast<std::size_t>(axis)] = complete ? length : Dim();
  set_output(ctx, 0, ctx.in(0).dtype, Shape(dims));
  if (dims.size() == 1) infer_elements(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), ctx.in(0).rank());
  const auto at = static_cast<std::size_t>(axis);
  Dims dims = ctx.in(0).dims();
  dims[at] = 0;
  std::vector<std::pair<std::size_t, std::int64_t>> owner;  // by position on the axis: input, position in it
  for (std::size_t slot = 0; slot < ctx.inputs.size(); ++slot) {
    Dims rest = ctx.in(slot).dims();
    if (rest.size() != dims.size())
      ctx.fail("input " + std::to_string(slot) + " has the wrong rank", std::to_string(dims.size()),
               std::to_string(rest.size()));
    for (std::int64_t i = 0; i < rest[at]; ++i) owner.emplace_back(slot, i);
    rest[at] = dims[at];
    if (rest != dims)
      ctx.fail("input " + std::to_string(slot) + " differs off the axis", to_string(dims), to_string(rest));
  }
  dims[at] = static_cast<std::int64_t>(owner.size());
  const std::int64_t stride = strides_of(dims)[at];
  return {pick(ctx.inputs, dims, [&](std::int64_t i) {
    const auto [slot, position] = owner[static_cast<std::size_t>(i / stride % dims[at])];
    const std::int64_t outer = i / stride / dims[at];
    return std::pair<std::size_t, std::int64_t>(slot,
                                                (outer * ctx.in(slot).dim(axis) + position) * stride + i % stride);
  })};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  std::vector<AxisRelation> out;
  const Shape& y = ctx.outputs[0].shape;
  if (!y.ranked()) return out;
  const std::int64_t given = ctx.node.int_or("axis", 0), axis = given < 0 ? given + y.rank() : given;
  for (std::int64_t i = 0; i < y.rank(); ++i) {
    const Kind kind = i == axis ? Kind::kConcatenated : Kind::kSame;
    out.push_back(output_axis(0, i, static_cast<int>(i), kind));
    for (std::size_t slot = 0; slot < ctx.inputs.size(); ++slot)
      out.push_back(input_axis(slot, i, static_cast<int>(i), kind));
  }
  return out;
}

}  // namespace

extern const Operator kConcat = {
    .op_type = "Concat",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = -1,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
