// MaxRoiPool: each region [batch, x1, y1, x2, y2] cut into pooled_shape bins, the largest element of each (Girshick,
// 2015).
#include <algorithm>
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

std::vector<std::int64_t> pooled_shape(const auto& ctx) {
  const std::vector<std::int64_t> pooled = ctx.node.ints_or("pooled_shape", {});
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1)
    ctx.fail("attribute 'pooled_shape' is missing or wrong", "two positive sizes", std::to_string(pooled.size()));
  return pooled;
}

void infer(InferContext& ctx) {
  const Shape &x = ctx.in(0).shape, &rois = ctx.in(1).shape;
  const std::vector<std::int64_t> pooled = pooled_shape(ctx);
  if (x.ranked() && x.rank() != 4) ctx.fail("input has the wrong rank", "4", to_string(x));
  if (rois.ranked() && rois.rank() != 2) ctx.fail("rois have the wrong rank", "2", to_string(rois));
  set_output(ctx, 0, ctx.in(0).dtype,
             Shape({rois.ranked() ? rois[0] : Dim(), x.ranked() ? x[1] : Dim(), Dim(pooled[0]), Dim(pooled[1])}));
}

/// Bins of one side, in whole pixels that lie inside the image.
struct Side {
  double start, bin;
  std::int64_t size;
  std::pair<std::int64_t, std::int64_t> range(std::int64_t i) const {
    const auto clip = [this](double at) {
      return static_cast<std::int64_t>(std::clamp(at + start, 0.0, static_cast<double>(size)));
    };
    return {clip(std::floor(static_cast<double>(i) * bin)), clip(std::ceil(static_cast<double>(i + 1) * bin))};
  }
};

Side side_of(const EvaluateContext& ctx, double begin, double end, std::int64_t bins, std::int64_t size) {
  const double scale = ctx.node.float_or("spatial_scale", 1), start = std::round(begin * scale),
               length = std::max(std::round(end * scale) - start + 1, 1.0);
  if (!std::isfinite(start) || !std::isfinite(length)) ctx.fail("a region is no number");
  return {start, length / static_cast<double>(bins), size};
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &rois = ctx.in(1);
  if (x.rank() != 4 || rois.rank() != 2 || rois.dim(1) != 5)
    ctx.fail("input and rois do not fit", "[N, C, H, W] and [R, 5]",
             to_string(x.dims()) + " and " + to_string(rois.dims()));
  const std::vector<std::int64_t> pooled = pooled_shape(ctx);
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  const Dims dims = {rois.dim(0), channels, pooled[0], pooled[1]};
  require_room(ctx, dims);
  const std::vector<double> values = to_doubles(x), boxes = to_doubles(rois);
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(element_count(dims)));
  for (std::int64_t r = 0; r < dims[0]; ++r) {
    const double* box = boxes.data() + r * 5;
    if (!(box[0] >= 0 && box[0] < static_cast<double>(x.dim(0))))
      ctx.fail("index out of range", "0 to " + std::to_string(x.dim(0) - 1), std::to_string(box[0]));
    const auto n = static_cast<std::int64_t>(box[0]);
    const Side across = side_of(ctx, box[1], box[3], pooled[1], width),
               down = side_of(ctx, box[2], box[4], pooled[0], height);
    for (std::int64_t c = 0; c < channels; ++c) {
      const double* plane = values.data() + (n * channels + c) * height * width;
      for (std::int64_t i = 0; i < pooled[0]; ++i) {
        const auto [top, bottom] = down.range(i);
        for (std::int64_t j = 0; j < pooled[1]; ++j) {
          const auto [left, right] = across.range(j);
          double most = top < bottom && left < right ? plane[top * width + left] : 0;
          for (std::int64_t y = top; y < bottom; ++y) {
            for (std::int64_t column = left; column < right; ++column) most = std::max(most, plane[y * width + column]);
          }
          out.push_back(most);
        }
      }
    }
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kMaxRoiPool = {
    .op_type = "MaxRoiPool",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"pooled_shape", "spatial_scale"},
    .infer = infer,
    .evaluate = evaluate,
    .axes =
        [](const AxesContext&) {
          return std::vector<AxisRelation>{input_axis(0, 1, 1), output_axis(0, 1, 1)};
        },
};

}  // namespace pare::ir::ops
