// ReduceProd: product over axes.
#include <cmath>
#include <limits>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kAxesInputSince = 18;

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return evaluate_reduction(ctx, kAxesInputSince,
                            {
                                .start = 1,
                                .step = [](long double sum, long double x) { return sum * x; },
                            });
}

}  // namespace

extern const Operator kReduceProd = {
    .op_type = "ReduceProd",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"axes", "keepdims", "noop_with_empty_axes"},
    .infer = [](InferContext& ctx) { infer_reduction(ctx, kAxesInputSince); },
    .evaluate = evaluate,
    .axes = [](const AxesContext& ctx) { return axes_reduction(ctx, false); },
};

}  // namespace pare::ir::ops
