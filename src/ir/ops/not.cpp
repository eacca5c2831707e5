// Not: logical negation of bools.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return map(ctx, nullptr, [](std::int64_t x) -> std::int64_t { return x == 0; });
}

}  // namespace

extern const Operator kNot = {
    .op_type = "Not",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_same,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
