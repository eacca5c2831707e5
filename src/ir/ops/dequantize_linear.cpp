// DequantizeLinear: y = (x − zero_point) · scale, in the type of the scale (or output_dtype, opset 23).
#include "base/float16.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/quantize.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  check_scale(ctx, 1, 2);
  if (ctx.has(2) && ctx.in(2).dtype != DType::kUndefined && ctx.in(0).dtype != DType::kUndefined &&
      ctx.in(2).dtype != ctx.in(0).dtype) {
    ctx.fail("zero point and input differ in type", std::string(name(ctx.in(0).dtype)),
             std::string(name(ctx.in(2).dtype)));
  }
  const std::int64_t declared = ctx.node.int_or("output_dtype", 0);
  set_output(ctx, 0, declared != 0 ? static_cast<DType>(declared) : ctx.in(1).dtype, ctx.in(0).shape);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  std::vector<double> values = to_doubles(x);
  const std::vector<double> scale = to_doubles(ctx.in(1)),
                            zero = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>{0};
  const ScaleMap of_scale(ctx, x.dims(), ctx.in(1).dims()),
      of_zero(ctx, x.dims(), ctx.has(2) ? ctx.in(2).dims() : Dims{});
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    values[i] =
        (values[i] - zero[static_cast<std::size_t>(of_zero(at))]) * scale[static_cast<std::size_t>(of_scale(at))];
  }
  const std::int64_t declared = ctx.node.int_or("output_dtype", 0);
  return {from_doubles(declared != 0 ? static_cast<DType>(declared) : ctx.in(1).dtype(), x.dims(), values)};
}

}  // namespace

extern const Operator kDequantizeLinear = {
    .op_type = "DequantizeLinear",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"axis", "block_size", "output_dtype"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_quantize,
};

}  // namespace pare::ir::ops
