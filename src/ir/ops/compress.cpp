// Compress: the slices along `axis` (or the elements, without it) whose condition is true.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/lines.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (ctx.node.find("axis") == nullptr) {
    set_output(ctx, 0, ctx.in(0).dtype, Shape({Dim()}));
  } else if (x.ranked()) {
    const std::int64_t axis = normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
    std::vector<Dim> dims = x.dims();
    dims[static_cast<std::size_t>(axis)] = Dim();
    set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
  }
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const bool flat = ctx.node.find("axis") == nullptr;
  const Tensor x = flat ? ctx.in(0).reshaped({ctx.in(0).numel()}) : ctx.in(0);
  const std::int64_t axis = flat ? 0 : normalize_axis(ctx, ctx.node.int_or("axis", 0), x.rank());
  const std::vector<std::int64_t> condition = to_ints(ctx.in(1));
  const Lines lines = lines_of(x.dims(), axis);
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] == 0) continue;
    if (static_cast<std::int64_t>(i) >= lines.length)
      ctx.fail("condition is true past the end of the axis", "below " + std::to_string(lines.length),
               std::to_string(i));
    kept.push_back(static_cast<std::int64_t>(i));
  }
  const auto count = static_cast<std::int64_t>(kept.size());
  Dims dims = x.dims();
  dims[static_cast<std::size_t>(axis)] = count;
  return {pick({&x, 1}, dims, [&](std::int64_t i) {
    const std::int64_t at = i / lines.stride % count, outer = i / lines.stride / count;
    return std::pair<std::size_t, std::int64_t>(
        0, (outer * lines.length + kept[static_cast<std::size_t>(at)]) * lines.stride + i % lines.stride);
  })};
}

}  // namespace

extern const Operator kCompress = {
    .op_type = "Compress",
    .since = 9,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"axis"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
