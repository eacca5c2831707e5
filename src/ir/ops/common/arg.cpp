#include "ir/ops/common/arg.h"

#include "ir/ops/common/facts.h"
#include "ir/ops/common/lines.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class Sizes, class Size>
void reduce_axis(const Node& node, Sizes& dims, std::int64_t axis, Size one) {
  if (node.int_or("keepdims", 1) != 0)
    dims[static_cast<std::size_t>(axis)] = one;
  else
    dims.erase(dims.begin() + axis);
}

}  // namespace

void infer_arg(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, DType::kInt64);
  if (!x.ranked()) return;
  std::vector<Dim> dims = x.dims();
  reduce_axis(ctx.node, dims, normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank()), Dim(1));
  set_output(ctx, 0, DType::kInt64, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate_arg(const EvaluateContext& ctx, int sign) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const bool last = ctx.node.int_or("select_last_index", 0) != 0;
  const Lines lines = lines_of(x.dims(), axis);
  if (lines.length == 0) ctx.fail("the axis is empty");
  const std::vector<double> values = to_doubles(x);
  std::vector<std::int64_t> out(static_cast<std::size_t>(lines.count));
  for (std::int64_t line = 0; line < lines.count; ++line) {
    const double* first = values.data() + lines.start(line);
    std::int64_t& best = out[static_cast<std::size_t>(line)];
    for (std::int64_t i = 1; i < lines.length; ++i) {
      const double value = sign * first[i * lines.stride], so_far = sign * first[best * lines.stride];
      if (value > so_far || (last && value == so_far)) best = i;
    }
  }
  Dims dims = x.dims();
  reduce_axis(ctx.node, dims, axis, std::int64_t{1});
  return {from_ints(DType::kInt64, dims, out)};
}

}  // namespace pare::ir::ops
