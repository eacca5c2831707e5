// OneHot: on-value where an index points on a new axis of size depth, off-value elsewhere; an index out of range is
// off.
#include <cmath>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& indices = ctx.in(0).shape;
  const DType dtype = ctx.in(2).dtype;
  set_output(ctx, 0, dtype);
  if (!indices.ranked()) return;
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", -1), indices.rank() + 1);
  Dim depth;
  if (const Tensor* given = ctx.in(1).constant) {
    if (given->numel() != 1) ctx.fail("depth has the wrong shape", "one element", to_string(given->dims()));
    const auto size = static_cast<std::int64_t>(to_doubles(*given)[0]);
    if (size < 1) ctx.fail("depth is out of range", "1 or more", std::to_string(size));
    depth = Dim(size);
  }
  std::vector<Dim> dims = indices.dims();
  dims.insert(dims.begin() + axis, depth);
  set_output(ctx, 0, dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& indices = ctx.in(0);
  const double given = scalar_double(ctx, 1, "depth");
  if (!(given >= 1 && given < 9e18)) ctx.fail("depth is out of range", "1 or more", std::to_string(given));
  const auto depth = static_cast<std::int64_t>(given);
  if (ctx.in(2).numel() != 2) ctx.fail("values have the wrong shape", "2", to_string(ctx.in(2).dims()));
  const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", -1), indices.rank() + 1);
  Dims dims = indices.dims();
  dims.insert(dims.begin() + axis, depth);
  require_room(ctx, dims);
  std::vector<std::int64_t> wanted;
  for (double index : to_doubles(indices))
    wanted.push_back(index < 0 ? static_cast<std::int64_t>(std::fmax(index, -9e18)) + depth
                               : static_cast<std::int64_t>(std::fmin(index, 9e18)));
  const std::int64_t inner = strides_of(dims)[static_cast<std::size_t>(axis)];
  return {pick({&ctx.in(2), 1}, dims, [&](std::int64_t i) {
    const std::int64_t at = i / inner % depth, from = i / inner / depth * inner + i % inner;
    return std::pair<std::size_t, std::int64_t>(0, wanted[static_cast<std::size_t>(from)] == at ? 1 : 0);
  })};
}

}  // namespace

extern const Operator kOneHot = {
    .op_type = "OneHot",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
