// ReduceMean: mean over axes.
#include <cmath>
#include <limits>

#include "ir/ops/common/reduce.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kAxesInputSince = 18;

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  return evaluate_reduction(
      ctx, kAxesInputSince,
      {
          .step = [](long double sum, long double x) { return sum + x; },
          .finish = [](long double sum, std::int64_t count) { return sum / static_cast<long double>(count); },
      });
}

}  // namespace

extern const Operator kReduceMean = {
    .op_type = "ReduceMean",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 2,
    .attributes = {"axes", "keepdims", "noop_with_empty_axes"},
    .infer = [](InferContext& ctx) { infer_reduction(ctx, kAxesInputSince); },
    .evaluate = evaluate,
    .axes = [](const AxesContext& ctx) { return axes_reduction(ctx, false); },
};

}  // namespace pare::ir::ops
