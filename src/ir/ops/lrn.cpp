// LRN: y = x / (bias + alpha/size · Σ x²)^beta over `size` neighbouring channels (Krizhevsky et al., 2012).
#include <algorithm>
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  required_int(ctx, "size");
  require_rank_at_least(ctx, 0, 2);
  infer_same(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t size = ctx.node.int_or("size", 1), channels = x.dim(1);
  const double alpha = ctx.node.float_or("alpha", 1e-4F), beta = ctx.node.float_or("beta", 0.75F),
               bias = ctx.node.float_or("bias", 1.0F);
  const std::vector<double> values = to_doubles(x);
  std::vector<double> out(values.size());
  const std::int64_t plane = values.empty() ? 1 : x.numel() / (x.dim(0) * channels);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const std::int64_t c = i / plane % channels;
    const std::int64_t first = std::max<std::int64_t>(0, c - (size - 1) / 2),
                       last = std::min(channels - 1, c + size / 2);
    double sum = 0;
    for (std::int64_t k = first; k <= last; ++k) {
      const double value = values[static_cast<std::size_t>(i + (k - c) * plane)];
      sum += value * value;
    }
    out[static_cast<std::size_t>(i)] =
        values[static_cast<std::size_t>(i)] / std::pow(bias + alpha / static_cast<double>(size) * sum, beta);
  }
  return {from_doubles(x.dtype(), x.dims(), out)};
}

}  // namespace

extern const Operator kLRN = {
    .op_type = "LRN",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"alpha", "beta", "bias", "size"},
    .infer = infer,
    .evaluate = evaluate,
    // Removing a channel changes its neighbours' sums: the channel axis is free.
    .axes = [](const AxesContext& ctx) { return axes_all_but(ctx, {1}); },
};

}  // namespace pare::ir::ops
