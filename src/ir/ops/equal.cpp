// Equal: y = (a == b) with broadcasting; strings from opset 19.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

Tensor equal_strings(const EvaluateContext& ctx) {
  const Tensor &a = ctx.in(0), &b = ctx.in(1);
  Dims dims;
  if (!broadcast_dims(a.dims(), b.dims(), dims))
    ctx.fail("inputs do not broadcast", to_string(a.dims()), to_string(b.dims()));
  const Tensor left = strided(a, dims, 0, broadcast_strides(a.dims(), dims));
  const Tensor right = strided(b, dims, 0, broadcast_strides(b.dims(), dims));
  std::vector<std::int64_t> out(static_cast<std::size_t>(left.numel()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = left.string_data()[i] == right.string_data()[i];
  return from_ints(DType::kBool, dims, out);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  if (ctx.in(0).dtype() == DType::kString) return {equal_strings(ctx)};
  return compare(ctx, {[](double a, double b) { return a == b ? 1.0 : 0.0; },
                       [](std::int64_t a, std::int64_t b, bool) -> std::int64_t { return a == b; }});
}

}  // namespace

extern const Operator kEqual = {
    .op_type = "Equal",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_comparison,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
