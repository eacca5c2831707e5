// PRelu: y = x for x ≥ 0, slope·x below (He et al., 2015); the slope broadcasts to x.
#include "ir/ops/common/elementwise.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  require_same_type(ctx);
  const Shape &x = ctx.in(0).shape, &slope = ctx.in(1).shape;
  if (x.ranked() && slope.ranked() && slope.rank() > x.rank())
    ctx.fail("slope does not broadcast to the input", to_string(x), to_string(slope));
  broadcast(ctx, x, slope);
  infer_same(ctx);
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  std::vector<Tensor> out = combine_two(ctx, {[](double x, double slope) { return x < 0 ? slope * x : x; },
                                              [](std::int64_t x, std::int64_t slope, bool is_unsigned) {
                                                return x < 0 && !is_unsigned ? slope * x : x;
                                              }});
  if (out[0].dims() != ctx.in(0).dims())
    ctx.fail("slope does not broadcast to the input", to_string(ctx.in(0).dims()), to_string(ctx.in(1).dims()));
  return out;
}

}  // namespace

extern const Operator kPRelu = [] {
  Operator out = binary_declaration("PRelu", 7, {}, evaluate);
  out.infer = infer;
  return out;
}();

}  // namespace pare::ir::ops
