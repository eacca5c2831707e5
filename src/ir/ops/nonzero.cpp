// NonZero: coordinates of the elements that are not zero, one column each, in row-major order.
#include <algorithm>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

/// A scalar has one coordinate, as a vector of one element would.
std::int64_t coordinates(std::int64_t rank) { return std::max<std::int64_t>(1, rank); }

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, DType::kInt64, Shape({x.ranked() ? Dim(coordinates(x.rank())) : Dim(), Dim()}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  std::vector<std::int64_t> found;
  const std::vector<double> values = to_doubles(x);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) found.push_back(static_cast<std::int64_t>(i));
  }
  const Dims strides = x.rank() == 0 ? Dims{1} : strides_of(x.dims()), sizes = x.rank() == 0 ? Dims{1} : x.dims();
  std::vector<std::int64_t> out;
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    for (std::int64_t i : found) out.push_back(i / strides[axis] % sizes[axis]);
  }
  return {from_ints(DType::kInt64, {coordinates(x.rank()), static_cast<std::int64_t>(found.size())}, out)};
}

}  // namespace

extern const Operator kNonZero = {
    .op_type = "NonZero",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
