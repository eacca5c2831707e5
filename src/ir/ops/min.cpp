// Min: element-wise smallest of any number of inputs with broadcasting; NaN wins.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return combine_all(ctx, {[](double a, double b) { return std::isnan(a) || a < b ? a : b; },
                           [](std::int64_t a, std::int64_t b, bool is_unsigned) {
                             const bool first =
                                 is_unsigned ? static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b) : a < b;
                             return first ? a : b;
                           }});
}

}  // namespace

extern const Operator kMin = {
    .op_type = "Min",
    .since = 8,
    .min_inputs = 1,
    .max_inputs = -1,
    .infer = infer_broadcast,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
