// Shape: the dimensions of the input as int64, from opset 15 a slice [start, end) of them.
#include <algorithm>

#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

std::pair<std::int64_t, std::int64_t> range(const Node& node, std::int64_t rank) {
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t start = clamp(node.int_or("start", 0));
  return {start, std::max(start, clamp(node.int_or("end", rank)))};
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, DType::kInt64, Shape({Dim()}));
  if (!x.ranked()) return;
  const auto [start, end] = range(ctx.node, x.rank());
  set_output(ctx, 0, DType::kInt64, Shape({Dim(end - start)}));
  ctx.outputs[0].elements = std::vector<Dim>(x.dims().begin() + start, x.dims().begin() + end);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Dims& dims = ctx.in(0).dims();
  const auto [start, end] = range(ctx.node, ctx.in(0).rank());
  return {Tensor::from<std::int64_t>({end - start}, {dims.begin() + start, dims.begin() + end})};
}

}  // namespace

extern const Operator kShape = {
    .op_type = "Shape",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"end", "start"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
