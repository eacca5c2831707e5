// EyeLike: ones on the k-th diagonal of a matrix of the input's shape, zeros elsewhere.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

DType type_of(const Node& node, DType fallback) {
  return static_cast<DType>(node.int_or("dtype", static_cast<std::int64_t>(fallback)));
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  const std::int64_t given = ctx.node.int_or("dtype", 1);
  if (!is_valid_dtype(static_cast<int>(given)))
    ctx.fail("attribute 'dtype' is no element type", "1 to 26", std::to_string(given));
  if (x.ranked() && x.rank() != 2) ctx.fail("input has the wrong rank", "2", to_string(x));
  set_output(ctx, 0, type_of(ctx.node, ctx.in(0).dtype), x);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Dims& dims = ctx.in(0).dims();
  if (dims.size() != 2) ctx.fail("input has the wrong rank", "2", to_string(dims));
  const std::int64_t k = ctx.node.int_or("k", 0);
  std::vector<double> values(static_cast<std::size_t>(ctx.in(0).numel()));
  for (std::int64_t row = 0; row < dims[0]; ++row) {
    // In this order, a diagonal far outside does not overflow.
    if (k >= -row && k < dims[1] - row) values[static_cast<std::size_t>(row * dims[1] + row + k)] = 1;
  }
  return {from_doubles(type_of(ctx.node, ctx.in(0).dtype()), dims, values)};
}

}  // namespace

extern const Operator kEyeLike = {
    .op_type = "EyeLike",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"dtype", "k"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
