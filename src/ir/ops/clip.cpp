// Clip: y = min(max(x, low), high). Opset < 11: bounds are attributes; from 11 optional scalar inputs.
#include <limits>

#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  if (ctx.opset >= 11) require_same_type(ctx);
  infer_same(ctx);
}

std::vector<Tensor> clip_reals(const EvaluateContext& ctx) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  double low = -kInf, high = kInf;
  if (ctx.opset < 11) {
    low = ctx.node.float_or("min", std::numeric_limits<float>::lowest());
    high = ctx.node.float_or("max", std::numeric_limits<float>::max());
  } else {
    if (ctx.has(1)) low = to_doubles(ctx.in(1)).at(0);
    if (ctx.has(2)) high = to_doubles(ctx.in(2)).at(0);
  }
  return map(ctx, [=](double x) {
    if (x < low) x = low;
    return x > high ? high : x;
  });
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  for (std::size_t slot = 1; slot < 3; ++slot) {
    if (ctx.has(slot) && ctx.in(slot).numel() != 1)
      ctx.fail("bound has the wrong shape", "a scalar", to_string(ctx.in(slot).dims()));
  }
  if (is_float(ctx.in(0).dtype())) return clip_reals(ctx);
  const bool is_unsigned = ctx.in(0).dtype() == DType::kUint64;
  const auto below = [is_unsigned](std::int64_t a, std::int64_t b) {
    return is_unsigned ? static_cast<std::uint64_t>(a) < static_cast<std::uint64_t>(b) : a < b;
  };
  const std::vector<std::int64_t> low = ctx.has(1) ? to_ints(ctx.in(1)) : std::vector<std::int64_t>{};
  const std::vector<std::int64_t> high = ctx.has(2) ? to_ints(ctx.in(2)) : std::vector<std::int64_t>{};
  return map(ctx, nullptr, [&](std::int64_t x) {
    if (!low.empty() && below(x, low[0])) x = low[0];
    return !high.empty() && below(high[0], x) ? high[0] : x;
  });
}

}  // namespace

extern const Operator kClip = {
    .op_type = "Clip",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 3,
    .attributes = {"min", "max"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = [](const AxesContext& ctx) { return axes_all_but(ctx, {}); },
    .elementwise = true,
};

}  // namespace pare::ir::ops
