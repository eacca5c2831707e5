// DepthToSpace: blocks of channels become b×b blocks of pixels; mode DCR takes the block from the slow part of the
// channel axis, CRD (pixel shuffle) from the fast part.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

bool is_crd(const Node& node) { return node.string_or("mode", "DCR") == "CRD"; }

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  const std::int64_t block = required_int(ctx, "blocksize");
  const std::string mode = ctx.node.string_or("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") ctx.fail("attribute 'mode' is not known", "DCR or CRD", mode);
  if (block < 1 || block > INT32_MAX)
    ctx.fail("attribute 'blocksize' is out of range", "1 or more", std::to_string(block));
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  if (x.rank() != 4) ctx.fail("input has the wrong rank", "4", to_string(x));
  if (x[1].is_known() && x[1].value() % (block * block) != 0)
    ctx.fail("channels are not a multiple of blocksize²", std::to_string(block * block), to_string(x[1]));
  const auto grown = [block](const Dim& dim) { return dim.is_known() ? Dim(dim.value() * block) : Dim(); };
  const Dim channels = x[1].is_known() ? Dim(x[1].value() / (block * block)) : Dim();
  set_output(ctx, 0, ctx.in(0).dtype, Shape({x[0], channels, grown(x[2]), grown(x[3])}));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t b = ctx.node.int_or("blocksize", 1);
  if (x.rank() != 4 || b < 1 || b > INT32_MAX || x.dim(1) % (b * b) != 0)
    ctx.fail("channels are not a multiple of blocksize²", std::to_string(b), to_string(x.dims()));
  const std::int64_t n = x.dim(0), c = x.dim(1) / (b * b), h = x.dim(2), w = x.dim(3), plane = h * w;
  // Strides of input channel = (row in block, column in block, channel) or (channel, row, column).
  const bool crd = is_crd(ctx.node);
  const std::int64_t row = crd ? b * plane : b * c * plane, column = crd ? plane : c * plane,
                     channel = crd ? b * b * plane : plane;
  return {strided(x, {n, c, h, b, w, b}, 0, {b * b * c * plane, channel, w, row, 1, column})
              .reshaped({n, c, h * b, w * b})};
}

/// An output channel is made of block² input channels: side by side in CRD, one of each run through all in DCR.
std::vector<AxisRelation> axes(const AxesContext& ctx) {
  const std::int64_t block = ctx.node.int_or("blocksize", 1);
  AxisRelation channels = input_axis(0, 1, 1);
  (is_crd(ctx.node) ? channels.block : channels.repeat) = block * block;
  return {input_axis(0, 0, 0), output_axis(0, 0, 0), channels, output_axis(0, 1, 1)};
}

}  // namespace

extern const Operator kDepthToSpace = {
    .op_type = "DepthToSpace",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .attributes = {"blocksize", "mode"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes,
};

}  // namespace pare::ir::ops
