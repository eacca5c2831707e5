// SpaceToDepth: b×b blocks of pixels become channels; the channels of one position in the block lie next to each other
// (mode DCR), or the positions of one channel (mode CRD, from opset 28).
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

bool is_crd(const Node& node) { return node.string_or("mode", "DCR") == "CRD"; }

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  const std::int64_t block = required_int(ctx, "blocksize");
  if (block < 1 || block > INT32_MAX)
    ctx.fail("attribute 'blocksize' is out of range", "1 or more", std::to_string(block));
  const std::string mode = ctx.node.string_or("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") ctx.fail("attribute 'mode' is unknown", "DCR or CRD", mode);
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  if (x.rank() != 4) ctx.fail("input has the wrong rank", "4", to_string(x));
  for (std::int64_t axis : {2, 3}) {
    if (x[axis].is_known() && x[axis].value() % block != 0)
      ctx.fail("axis " + std::to_string(axis) + " is not a multiple of blocksize", std::to_string(block),
               to_string(x[axis]));
  }
  const auto shrunk = [block](const Dim& dim) { return dim.is_known() ? Dim(dim.value() / block) : Dim(); };
  const Dim channels = x[1].is_known() ? Dim(x[1].value() * block * block) : Dim();
  set_output(ctx, 0, ctx.in(0).dtype, Shape({x[0], channels, shrunk(x[2]), shrunk(x[3])}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t b = ctx.node.int_or("blocksize", 1);
  if (x.rank() != 4 || b < 1 || x.dim(2) % b != 0 || x.dim(3) % b != 0)
    ctx.fail("height and width are not multiples of blocksize", std::to_string(b), to_string(x.dims()));
  const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2), w = x.dim(3);
  if (is_crd(ctx.node)) {
    return {strided(x, {n, c, b, b, h / b, w / b}, 0, {c * h * w, h * w, w, 1, b * w, b})
                .reshaped({n, c * b * b, h / b, w / b})};
  }
  return {strided(x, {n, b, b, c, h / b, w / b}, 0, {c * h * w, w, 1, h * w, b * w, b})
              .reshaped({n, b * b * c, h / b, w / b})};
}

/// As in DepthToSpace, the other way round.
std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const std::int64_t block = ctx.node.int_or("blocksize", 1);
  AxisRelation channels = output_axis(0, 1, 1);
  (is_crd(ctx.node) ? channels.block : channels.repeat) = block * block;
  return {input_axis(0, 0, 0), output_axis(0, 0, 0), input_axis(0, 1, 1), channels};
}

}  // namespace

extern const Operator kSpaceToDepth = {
    .op_type = "SpaceToDepth",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"blocksize", "mode"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
