// Greater: y = a > b with broadcasting.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return compare(ctx, {[](double a, double b) { return a > b ? 1.0 : 0.0; },
                       [](std::int64_t a, std::int64_t b, bool is_unsigned) -> std::int64_t {
                         return is_unsigned ? static_cast<std::uint64_t>(a) > static_cast<std::uint64_t>(b) : a > b;
                       }});
}

}  // namespace

extern const Operator kGreater = {
    .op_type = "Greater",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_comparison,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
