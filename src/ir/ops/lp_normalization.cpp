// LpNormalization: y = x / ‖x‖p along an axis, p 1 or 2; a line whose norm is 0 stays 0.
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/lines.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  const std::int64_t p = ctx.node.int_or("p", 2);
  if (p != 1 && p != 2) ctx.fail("attribute 'p' is out of range", "1 or 2", std::to_string(p));
  if (ctx.in(0).shape.ranked()) normalize_axis(ctx, ctx.node.int_or("axis", -1), ctx.in(0).shape.rank());
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Lines lines = lines_of(x.dims(), normalize_axis(ctx, ctx.node.int_or("axis", -1), x.rank()));
  const bool squares = ctx.node.int_or("p", 2) == 2;
  std::vector<double> values = to_doubles(x);
  for (std::int64_t line = 0; line < lines.count; ++line) {
    double* first = values.data() + lines.start(line);
    double norm = 0;
    for (std::int64_t i = 0; i < lines.length; ++i) {
      const double value = first[i * lines.stride];
      norm += squares ? value * value : std::abs(value);
    }
    if (squares) norm = std::sqrt(norm);
    for (std::int64_t i = 0; norm != 0 && i < lines.length; ++i) first[i * lines.stride] /= norm;
  }
  return {from_doubles(x.dtype(), x.dims(), values)};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const std::int64_t axis = ctx.node.int_or("axis", -1);
  return axes_all_but(ctx, {axis < 0 ? axis + ctx.inputs[0].shape.rank() : axis});
}

}  // namespace

extern const Operator kLpNormalization = {
    .op_type = "LpNormalization",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"axis", "p"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
