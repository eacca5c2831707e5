// RoiAlign: each region of interest pooled to output_height × output_width from bilinear samples (He et al., 2017).
#include <algorithm>
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

constexpr std::int64_t kHalfPixelSince = 16;
/// More samples than this along one side of a bin come from a broken region, not from an image.
constexpr double kMostSamples = 1 << 14;

void infer(InferContext& ctx) {
  const Shape &x = ctx.in(0).shape, &rois = ctx.in(1).shape;
  const std::string mode = ctx.node.string_or("mode", "avg");
  if (mode != "avg" && mode != "max") ctx.fail("attribute 'mode' is not known", "avg or max", mode);
  const std::int64_t height = ctx.node.int_or("output_height", 1), width = ctx.node.int_or("output_width", 1);
  if (height < 1 || width < 1)
    ctx.fail("output size is out of range", "1 or more", std::to_string(std::min(height, width)));
  if (x.ranked() && x.rank() != 4) ctx.fail("input has the wrong rank", "4", to_string(x));
  if (rois.ranked()) {
    if (rois.rank() != 2) ctx.fail("rois have the wrong rank", "2", to_string(rois));
    require_same(ctx, Dim(4), rois[1], "rois have the wrong length");
  }
  set_output(ctx, 0, ctx.in(0).dtype,
             Shape({rois.ranked() ? rois[0] : Dim(), x.ranked() ? x[1] : Dim(), Dim(height), Dim(width)}));
}

/// Four corners of a sample in a plane and their weights.
struct Sample {
  std::int64_t index[4];
  double weight[4];
};

Sample sample_at(double y, double x, std::int64_t height, std::int64_t width) {
  Sample out{};
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return out;
  y = std::max(y, 0.0);
  x = std::max(x, 0.0);
  const auto top = std::min(static_cast<std::int64_t>(y), height - 1),
             left = std::min(static_cast<std::int64_t>(x), width - 1);
  const std::int64_t bottom = std::min(top + 1, height - 1), right = std::min(left + 1, width - 1);
  if (top == height - 1) y = static_cast<double>(top);
  if (left == width - 1) x = static_cast<double>(left);
  const double dy = y - static_cast<double>(top), dx = x - static_cast<double>(left);
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx}};
}

/// One side of a region: where it starts, the size of a bin, and samples along a bin.
struct Side {
  double start, bin;
  std::int64_t samples;
};

Side side_of(const EvaluateContext& ctx, double begin, double end, std::int64_t bins) {
  const std::int64_t ratio = ctx.node.int_or("sampling_ratio", 0);
  const double scale = ctx.node.float_or("spatial_scale", 1);
  const bool half_pixel = ctx.opset >= kHalfPixelSince &&
                          ctx.node.string_or("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const double offset = half_pixel ? 0.5 : 0, start = begin * scale - offset;
  double length = end * scale - offset - start;
  if (!half_pixel) length = std::max(length, 1.0);
  const double bin = length / static_cast<double>(bins),
               samples = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin);
  if (!(samples <= kMostSamples))
    ctx.fail("a region is too large, or no number", "at most " + std::to_string(kMostSamples) + " samples a bin",
             std::to_string(samples));
  return {start, bin, std::max<std::int64_t>(0, static_cast<std::int64_t>(samples))};
}

std::vector<Sample> bin_samples(const Side& y, const Side& x, std::int64_t row, std::int64_t column,
                                std::int64_t height, std::int64_t width) {
  std::vector<Sample> out;
  for (std::int64_t i = 0; i < y.samples; ++i) {
    for (std::int64_t j = 0; j < x.samples; ++j) {
      const double at_y =
          y.start +
          (static_cast<double>(row) + (static_cast<double>(i) + 0.5) / static_cast<double>(y.samples)) * y.bin;
      const double at_x =
          x.start +
          (static_cast<double>(column) + (static_cast<double>(j) + 0.5) / static_cast<double>(x.samples)) * x.bin;
      out.push_back(sample_at(at_y, at_x, height, width));
    }
  }
  return out;
}

double pool(const std::vector<Sample>& samples, const double* plane, bool largest) {
  double sum = 0, most = 0;
  bool first = true;
  for (const Sample& s : samples) {
    for (int corner = 0; corner < 4; ++corner) {
      const double part = s.weight[corner] * plane[s.index[corner]];
      sum += part;
      most = first ? part : std::max(most, part);  // of the weighted corners, as the operator's definition has it
      first = false;
    }
  }
  return largest ? most : sum / static_cast<double>(std::max<std::size_t>(1, samples.size()));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &rois = ctx.in(1);
  if (x.rank() != 4 || rois.rank() != 2 || rois.dim(1) != 4 || ctx.in(2).numel() != rois.dim(0))
    ctx.fail("input, rois and batch_indices do not fit", "[N, C, H, W], [R, 4] and [R]",
             to_string(x.dims()) + ", " + to_string(rois.dims()) + " and " + to_string(ctx.in(2).dims()));
  const std::int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3),
                     rows = ctx.node.int_or("output_height", 1), columns = ctx.node.int_or("output_width", 1);
  const bool largest = ctx.node.string_or("mode", "avg") == "max";
  const Dims dims = {rois.dim(0), channels, rows, columns};
  require_room(ctx, dims);
  if (height * width == 0 && element_count(dims) > 0) ctx.fail("the image is empty");
  const std::vector<double> values = to_doubles(x), boxes = to_doubles(rois);
  const std::vector<std::int64_t> batches = to_ints(ctx.in(2));
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  for (std::int64_t r = 0; r < dims[0]; ++r) {
    const double* box = boxes.data() + r * 4;
    const std::int64_t n = checked_index(ctx, batches[static_cast<std::size_t>(r)], x.dim(0));
    const Side side_x = side_of(ctx, box[0], box[2], columns), side_y = side_of(ctx, box[1], box[3], rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::vector<Sample> samples = bin_samples(side_y, side_x, row, column, height, width);
        for (std::int64_t c = 0; c < channels; ++c)
          out[static_cast<std::size_t>(((r * channels + c) * rows + row) * columns + column)] =
              pool(samples, values.data() + (n * channels + c) * height * width, largest);
      }
    }
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kRoiAlign = {
    .op_type = "RoiAlign",
    .since = 10,
    .min_inputs = 3,
    .max_inputs = 3,
    .attributes = {"coordinate_transformation_mode", "mode", "output_height", "output_width", "sampling_ratio",
                   "spatial_scale"},
    .infer = infer,
    .evaluate = evaluate,
    .axes =
        [](const AxesContext&) {
          return std::vector<AxisRelation>{input_axis(0, 1, 1), output_axis(0, 1, 1)};
        },
};

}  // namespace pare::ir::ops
