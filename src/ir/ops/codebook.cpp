// Codebook (pare): y[…] = values[indices[…] + first[…]], with `first`, optional, broadcast along the axes where it has one
// element. What Gather(values, Cast(indices) [+ first]) says, as one node that constant folding leaves alone; of a
// runtime's private copy only (runtime/codebooks.h), no file that Pare writes holds it.
#include "base/float16.h"
#include "ir/fake_quantize.h"
#include "ir/ops/common/facts.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& indices = ctx.in(1).shape;
  if (ctx.has(2) && indices.ranked() && ctx.in(2).shape.ranked() && ctx.in(2).shape.rank() != indices.rank())
    ctx.fail("indices and first differ in rank", std::to_string(indices.rank()),
             std::to_string(ctx.in(2).shape.rank()));
  set_output(ctx, 0, ctx.in(0).dtype, indices);
}

/// Element of `first` that belongs to element `at` of a tensor of `dims`.
std::int64_t first_of(const Tensor& first, const Dims& dims, std::int64_t at) {
  std::int64_t index = 0, step = 1;
  for (std::size_t axis = dims.size(); axis-- > 0; at /= dims[axis]) {
    if (first.dim(static_cast<std::int64_t>(axis)) != 1) index += at % dims[axis] * step;
    step *= first.dim(static_cast<std::int64_t>(axis));
  }
  return static_cast<std::int64_t>(element_as_double(first, index));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &values = ctx.in(0), &indices = ctx.in(1);
  Tensor y(DType::kFloat32, indices.dims());
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(element_as_double(indices, i)) +
                            (ctx.has(2) ? first_of(ctx.in(2), indices.dims(), i) : 0);
    if (at < 0 || at >= values.numel())
      ctx.fail("index out of range", "less than " + std::to_string(values.numel()), std::to_string(at));
    y.mutable_data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(element_as_double(values, at));
  }
  return {y};
}

}  // namespace

extern const Operator kCodebook = {
    .op_type = "Codebook",
    .domain = kPareDomain,
    .min_inputs = 2,
    .max_inputs = 3,
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
