// Where: y = condition ? a : b with broadcasting, any type.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape choices = broadcast(ctx, ctx.in(1).shape, ctx.in(2).shape);
  set_output(ctx, 0, ctx.in(1).dtype != DType::kUndefined ? ctx.in(1).dtype : ctx.in(2).dtype,
             broadcast(ctx, ctx.in(0).shape, choices));
  // Exporters choose between shapes by a known condition (Expand with -1).
  const Tensor* condition = ctx.in(0).constant;
  const auto &a = ctx.in(1).elements, &b = ctx.in(2).elements;
  if (condition == nullptr || !a || !b || condition->dtype() != DType::kBool) return;
  const auto choose = condition->data<bool>();
  if (choose.size() != a->size() || choose.size() != b->size()) return;
  std::vector<Dim> elements;
  for (std::size_t i = 0; i < choose.size(); ++i) elements.push_back(choose[i] ? (*a)[i] : (*b)[i]);
  ctx.outputs[0].elements = std::move(elements);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  Dims choices, dims;
  if (!broadcast_dims(ctx.in(1).dims(), ctx.in(2).dims(), choices) ||
      !broadcast_dims(ctx.in(0).dims(), choices, dims)) {
    ctx.fail("inputs do not broadcast");
  }
  const auto spread = [&](std::size_t slot) {
    return strided(ctx.in(slot), dims, 0, broadcast_strides(ctx.in(slot).dims(), dims));
  };
  const Tensor condition = spread(0);
  const Tensor sources[] = {spread(1), spread(2)};
  const auto choose = condition.data<bool>();
  return {pick(sources, dims, [&](std::int64_t i) {
    return std::pair<std::size_t, std::int64_t>(choose[static_cast<std::size_t>(i)] ? 0 : 1, i);
  })};
}

}  // namespace

extern const Operator kWhere = {
    .op_type = "Where",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_broadcast,
    .elementwise = true,
};

}  // namespace pare::ir::ops
