// Xor: logical xor of bools with broadcasting.
#include <algorithm>
#include <cmath>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return compare(ctx, {nullptr, [](std::int64_t a, std::int64_t b, bool) -> std::int64_t { return a != b; }});
}

}  // namespace

extern const Operator kXor = {
    .op_type = "Xor",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .infer = infer_comparison,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
