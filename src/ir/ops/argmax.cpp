// ArgMax: index of the largest element along an axis; the first, or with select_last_index the last.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, DType::kInt64);
  if (!x.ranked()) return;
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  std::vector<Dim> dims = x.dims();
  if (ctx.node.int_or("keepdims", 1) != 0)
    dims[static_cast<std::size_t>(axis)] = Dim(1);
  else
    dims.erase(dims.begin() + axis);
  set_output(ctx, 0, DType::kInt64, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const bool last = ctx.node.int_or("select_last_index", 0) != 0;
  const std::int64_t length = x.dim(axis), stride = strides_of(x.dims())[static_cast<std::size_t>(axis)];
  if (length == 0) ctx.fail("the axis is empty");
  const std::vector<double> values = to_doubles(x);
  std::vector<std::int64_t> out(static_cast<std::size_t>(x.numel() / length));
  for (std::size_t l = 0; l < out.size(); ++l) {
    const std::int64_t line = static_cast<std::int64_t>(l), start = line / stride * stride * length + line % stride;
    for (std::int64_t i = 1; i < length; ++i) {
      const double value = values[static_cast<std::size_t>(start + i * stride)],
                   best = values[static_cast<std::size_t>(start + out[l] * stride)];
      if (value > best || (last && value == best)) out[l] = i;
    }
  }
  Dims dims = x.dims();
  if (ctx.node.int_or("keepdims", 1) != 0)
    dims[static_cast<std::size_t>(axis)] = 1;
  else
    dims.erase(dims.begin() + axis);
  return {from_ints(DType::kInt64, dims, out)};
}

}  // namespace

extern const Operator kArgMax = {
    .op_type = "ArgMax",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axis", "keepdims", "select_last_index"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
