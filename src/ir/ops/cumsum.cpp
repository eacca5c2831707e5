// CumSum: running sums along an axis, which is an input; optionally without the element itself or from the end.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/lines.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  infer_same(ctx);
  const auto axis = known_ints(ctx, 1);
  if (axis && axis->size() == 1 && ctx.in(0).shape.ranked()) normalize_axis(ctx, (*axis)[0], ctx.in(0).shape.rank());
}

template <class T>
void accumulate(const Lines& lines, bool exclusive, bool reverse, std::vector<T>& values) {
  for (std::int64_t line = 0; line < lines.count; ++line) {
    const std::int64_t start = lines.start(line);
    T sum = 0;
    for (std::int64_t step = 0; step < lines.length; ++step) {
      const std::int64_t i = reverse ? lines.length - 1 - step : step;
      T& value = values[static_cast<std::size_t>(start + i * lines.stride)];
      const T before = sum;
      sum += value;
      value = exclusive ? before : sum;
    }
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Lines lines = lines_of(x.dims(), normalize_axis(ctx, scalar_int(ctx, 1, "axis"), x.rank()));
  const bool exclusive = ctx.node.int_or("exclusive", 0) != 0, reverse = ctx.node.int_or("reverse", 0) != 0;
  if (is_float(x.dtype())) {
    std::vector<double> values = to_doubles(x);
    accumulate(lines, exclusive, reverse, values);
    return {from_doubles(x.dtype(), x.dims(), values)};
  }
  const std::vector<std::int64_t> ints = to_ints(x);
  std::vector<std::uint64_t> values(ints.begin(), ints.end());  // sums wrap
  accumulate(lines, exclusive, reverse, values);
  return {from_ints(x.dtype(), x.dims(), std::vector<std::int64_t>(values.begin(), values.end()))};
}

std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const Tensor* axis = ctx.inputs[1].constant;
  if (axis == nullptr || axis->numel() != 1) return {};
  const std::int64_t along = to_ints(*axis)[0];
  return axes_all_but(ctx, {along < 0 ? along + ctx.inputs[0].shape.rank() : along});
}

}  // namespace

extern const Operator kCumSum = {
    .op_type = "CumSum",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"exclusive", "reverse"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
