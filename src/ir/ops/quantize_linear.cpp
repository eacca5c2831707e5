// QuantizeLinear: y = saturate(round_half_even(x / scale) + zero_point); floats of 8 bits round by Cast. The division
// is in float, as runtimes do it. The type is that of the zero point, else output_dtype (opset 21), else uint8.
#include <algorithm>
#include <cmath>

#include "base/float16.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/quantize.h"

namespace pare::ir::ops {
namespace {

DType declared_type(const Node& node) {
  const std::int64_t declared = node.int_or("output_dtype", 0);
  return declared != 0 ? static_cast<DType>(declared) : DType::kUint8;
}

void infer(InferContext& ctx) {
  check_scale(ctx, 1, 2);
  const std::int64_t declared = ctx.node.int_or("output_dtype", 0);
  if (declared != 0 && !is_valid_dtype(static_cast<int>(declared)))
    ctx.fail("attribute 'output_dtype' is no element type", "1 to 26", std::to_string(declared));
  const DType dtype = ctx.has(2) ? ctx.in(2).dtype : declared_type(ctx.node);
  if (declared != 0 && ctx.has(2) && dtype != DType::kUndefined && dtype != static_cast<DType>(declared)) {
    ctx.fail("attribute 'output_dtype' differs from the zero point", std::string(name(dtype)),
             std::string(name(static_cast<DType>(declared))));
  }
  set_output(ctx, 0, dtype, ctx.in(0).shape);
}

/// Quotients in the precision of the operator: float, or double for double inputs.
std::vector<double> quotients(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<double> scale = to_doubles(ctx.in(1));
  const ScaleMap where(ctx, x.dims(), ctx.in(1).dims());
  std::vector<double> values = to_doubles(x);
  const bool wide = x.dtype() == DType::kFloat64;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double by = scale[static_cast<std::size_t>(where(static_cast<std::int64_t>(i)))];
    values[i] = wide ? values[i] / by : static_cast<double>(static_cast<float>(values[i]) / static_cast<float>(by));
  }
  return values;
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const DType dtype = ctx.has(2) ? ctx.in(2).dtype() : declared_type(ctx.node);
  std::vector<double> values = quotients(ctx);
  if (is_float(dtype))
    return {cast(from_doubles(DType::kFloat32, x.dims(), values), dtype, ctx.node.int_or("saturate", 1) != 0)};
  const std::vector<double> zero = ctx.has(2) ? to_doubles(ctx.in(2)) : std::vector<double>{0};
  const ScaleMap where(ctx, x.dims(), ctx.has(2) ? ctx.in(2).dims() : Dims{});
  const IntRange range = range_of(dtype);
  std::vector<std::int64_t> out(values.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double shifted =
        std::nearbyint(values[i]) + zero[static_cast<std::size_t>(where(static_cast<std::int64_t>(i)))];
    out[i] = std::isnan(shifted) ? 0 : static_cast<std::int64_t>(std::clamp(shifted, range.low, range.high));
  }
  return {from_ints(dtype, x.dims(), out)};
}

}  // namespace

extern const Operator kQuantizeLinear = {
    .op_type = "QuantizeLinear",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 3,
    .attributes = {"axis", "block_size", "output_dtype", "precision", "saturate"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_quantize,
};

}  // namespace pare::ir::ops
