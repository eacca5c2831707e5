// CenterCropPad: each axis cropped, or padded with zeros, around its middle to the size that the input `shape` asks
// for.
#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

template <class Context>
std::vector<std::size_t> axes_of(const Context& ctx, std::int64_t rank, std::size_t sizes) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < rank; ++i) all.push_back(i);
  std::vector<std::size_t> out;
  for (std::int64_t axis : ctx.node.ints_or("axes", all))
    out.push_back(static_cast<std::size_t>(normalize_axis(ctx, axis, rank)));
  if (out.size() != sizes) ctx.fail("shape has the wrong length", std::to_string(out.size()), std::to_string(sizes));
  return out;
}

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked()) return;
  std::vector<Dim> dims = x.dims();
  if (const auto sizes = known_dims(ctx, 1)) {
    const std::vector<std::size_t> axes = axes_of(ctx, x.rank(), sizes->size());
    for (std::size_t i = 0; i < axes.size(); ++i) dims[axes[i]] = (*sizes)[i];
  } else {
    dims.assign(dims.size(), Dim());
  }
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::vector<std::int64_t> sizes = to_ints(ctx.in(1));
  const std::vector<std::size_t> axes = axes_of(ctx, x.rank(), sizes.size());
  Dims dims = x.dims();
  for (std::size_t i = 0; i < axes.size(); ++i) dims[axes[i]] = sizes[i];
  require_room(ctx, dims);
  Dims shift(dims.size());  // source = position + shift
  for (std::size_t a = 0; a < dims.size(); ++a) {
    const std::int64_t excess = x.dims()[a] - dims[a];
    shift[a] = excess >= 0 ? excess / 2 : -(-excess / 2);
  }
  const Dims to = strides_of(dims), from = strides_of(x.dims());
  const Tensor zero = x.dtype() == DType::kString ? Tensor::strings({1}, {""}) : Tensor(x.dtype(), {1});
  const Tensor sources[] = {x, zero};
  return {pick(sources, dims, [&](std::int64_t i) {
    std::int64_t index = 0;
    for (std::size_t a = 0; a < dims.size(); ++a) {
      const std::int64_t at = i / to[a] % dims[a] + shift[a];
      if (at < 0 || at >= x.dims()[a]) return std::pair<std::size_t, std::int64_t>(1, 0);
      index += at * from[a];
    }
    return std::pair<std::size_t, std::int64_t>(0, index);
  })};
}

}  // namespace

extern const Operator kCenterCropPad = {
    .op_type = "CenterCropPad",
    .since = 18,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"axes"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
