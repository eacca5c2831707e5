// Col2Im: columns [N, C·Π block, L] added back into images [N, C, image…], the transpose of taking sliding blocks.
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"
#include "ir/ops/common/window.h"

namespace pare::ir::ops {
namespace {

void infer(InferContext& ctx) {
  const Shape& x = ctx.in(0).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (x.ranked() && x.rank() != 3) ctx.fail("input has the wrong rank", "3", to_string(x));
  const auto image = known_dims(ctx, 1), block = known_dims(ctx, 2);
  if (!image) return;
  std::vector<Dim> dims = {x.ranked() ? x[0] : Dim(), Dim()};
  if (block && x.ranked()) {
    if (block->size() != image->size())
      ctx.fail("image_shape and block_shape differ in length", std::to_string(image->size()),
               std::to_string(block->size()));
    const Dim taps = product(*block);
    if (taps.is_known() && x[1].is_known()) {
      if (taps.value() < 1 || x[1].value() % taps.value() != 0)
        ctx.fail("axis 1 is not a multiple of the block's size", to_string(taps), to_string(x[1]));
      dims[1] = Dim(x[1].value() / taps.value());
    }
  }
  dims.insert(dims.end(), image->begin(), image->end());
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor& x = ctx.in(0);
  const Dims image = to_ints(ctx.in(1)), block = to_ints(ctx.in(2));
  if (x.rank() != 3) ctx.fail("input has the wrong rank", "3", to_string(x.dims()));
  if (image.size() != block.size() || image.empty())
    ctx.fail("image_shape and block_shape differ in length", to_string(image), to_string(block));
  const std::vector<WindowAxis> axes = resolve(ctx, read_window(ctx, block), image);
  Dims counts;
  for (const WindowAxis& axis : axes) counts.push_back(axis.out);
  require_room(ctx, block);
  const std::int64_t taps = element_count(block), blocks = element_count(counts);
  if (x.dim(1) % taps != 0 || x.dim(2) != blocks)
    ctx.fail("columns do not fit image and block",
             "a multiple of " + std::to_string(taps) + ", and " + std::to_string(blocks), to_string(x.dims()));
  Dims dims = {x.dim(0), x.dim(1) / taps};
  dims.insert(dims.end(), image.begin(), image.end());
  require_room(ctx, dims);
  const std::int64_t planes = dims[0] * dims[1], size = element_count(image);
  const Dims tap_strides = strides_of(block), block_strides = strides_of(counts), strides = strides_of(image);
  const std::vector<double> values = to_doubles(x);
  std::vector<double> out(static_cast<std::size_t>(planes * size));
  for (std::int64_t t = 0; t < taps; ++t) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      std::int64_t target = 0;
      bool inside = true;
      for (std::size_t a = 0; a < axes.size(); ++a) {
        const std::int64_t at = axes[a].source(b / block_strides[a] % counts[a], t / tap_strides[a] % block[a]);
        inside = inside && at >= 0 && at < image[a];
        target += at * strides[a];
      }
      for (std::int64_t plane = 0; inside && plane < planes; ++plane)
        out[static_cast<std::size_t>(plane * size + target)] +=
            values[static_cast<std::size_t>((plane * taps + t) * blocks + b)];
    }
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kCol2Im = {
    .op_type = "Col2Im",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"dilations", "pads", "strides"},
    .infer = infer,
    .evaluate = evaluate,
};

}  // namespace pare::ir::ops
