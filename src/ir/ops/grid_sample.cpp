// GridSample: x [N, C, spatial…] read at the positions of grid [N, out…, r] in [−1, 1], coordinates in the order x, y,
// z; nearest, linear or cubic, with zeros, border or reflection outside (Jaderberg et al., 2015).
#include <algorithm>
#include <array>
#include <cmath>

#include "ir/ops/common/axes.h"
#include "ir/ops/common/facts.h"
#include "ir/ops/common/limits.h"
#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {
namespace {

enum class Mode { kNearest, kLinear, kCubic };
enum class Padding { kZeros, kBorder, kReflection };

Mode mode_of(const auto& ctx) {
  const std::string mode = ctx.node.string_or("mode", "linear");
  if (mode == "nearest") return Mode::kNearest;
  if (mode == "linear" || mode == "bilinear") return Mode::kLinear;  // opset 16 has the longer names
  if (mode == "cubic" || mode == "bicubic") return Mode::kCubic;
  ctx.fail("attribute 'mode' is not known", "nearest, linear or cubic", mode);
}

Padding padding_of(const auto& ctx) {
  const std::string padding = ctx.node.string_or("padding_mode", "zeros");
  if (padding == "zeros") return Padding::kZeros;
  if (padding == "border") return Padding::kBorder;
  if (padding == "reflection") return Padding::kReflection;
  ctx.fail("attribute 'padding_mode' is not known", "zeros, border or reflection", padding);
}

void infer(InferContext& ctx) {
  mode_of(ctx);
  padding_of(ctx);
  const Shape &x = ctx.in(0).shape, &grid = ctx.in(1).shape;
  set_output(ctx, 0, ctx.in(0).dtype);
  if (!x.ranked() || !grid.ranked()) return;
  require_rank_at_least(ctx, 0, 3);
  if (grid.rank() != x.rank()) ctx.fail("grid has the wrong rank", std::to_string(x.rank()), to_string(grid));
  require_same(ctx, Dim(x.rank() - 2), grid[-1], "last axis of the grid is not the number of spatial axes");
  std::vector<Dim> dims = {require_same(ctx, x[0], grid[0], "batches of input and grid differ"), x[1]};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  set_output(ctx, 0, ctx.in(0).dtype, Shape(std::move(dims)));
}

/// One spatial axis: its size and the range that reflection keeps coordinates in.
struct Axis {
  std::int64_t size;
  double low, high;
};

double reflect(double x, const Axis& axis) {
  const double range = axis.high - axis.low;
  if (range <= 0) return axis.low;
  const double over = x < axis.low ? axis.low - x : x > axis.high ? x - axis.high : -1;
  if (over < 0) return x;
  const double turns = std::floor(over / range), rest = over - turns * range;
  const bool from_low = (x < axis.low) == (std::fmod(turns, 2) == 0);
  return from_low ? axis.low + rest : axis.high - rest;
}

/// The element's coordinate under the padding; −1: zero.
std::int64_t padded(std::int64_t at, const Axis& axis, Padding padding) {
  if (at >= 0 && at < axis.size) return at;
  if (padding == Padding::kZeros) return -1;
  const double inside =
      padding == Padding::kReflection ? reflect(static_cast<double>(at), axis) : static_cast<double>(at);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(inside), 0, axis.size - 1);
}

/// Coordinates and weights on one axis.
struct Taps {
  std::array<std::int64_t, 4> at;
  std::array<double, 4> weight;
  int count = 0;
  void add(std::int64_t where, double how_much) {
    at[static_cast<std::size_t>(count)] = where;
    weight[static_cast<std::size_t>(count++)] = how_much;
  }
};

double cubic(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

Taps taps_at(double normalized, const Axis& axis, bool align_corners, Mode mode, Padding padding) {
  const auto size = static_cast<double>(axis.size);
  double x = align_corners ? (normalized + 1) / 2 * (size - 1) : ((normalized + 1) * size - 1) / 2;
  constexpr double kFar = 1e15;  // integers are exact here, and no image is that large
  x = std::isnan(x) ? -kFar : std::clamp(x, -kFar, kFar);
  if (mode == Mode::kNearest) x = std::nearbyint(x);
  if (x < axis.low || x > axis.high) {
    if (padding == Padding::kBorder) x = std::clamp(x, 0.0, size - 1);
    if (padding == Padding::kReflection) x = reflect(x, axis);
  }
  Taps taps;
  const auto left = static_cast<std::int64_t>(std::floor(x));
  const double ratio = x - static_cast<double>(left);
  if (mode == Mode::kNearest) {
    taps.add(padded(static_cast<std::int64_t>(x), axis, padding), 1);
  } else if (mode == Mode::kLinear) {
    taps.add(padded(left, axis, padding), 1 - ratio);
    taps.add(padded(left + 1, axis, padding), ratio);
  } else {
    for (std::int64_t i = -1; i < 3; ++i)
      taps.add(padded(left + i, axis, padding), cubic(ratio - static_cast<double>(i)));
  }
  return taps;
}

/// The elements of a plane that a position reads, with their weights.
void combine_taps(const std::vector<Taps>& axes, const Dims& strides, std::size_t axis, std::int64_t index,
                  double weight, std::vector<std::pair<std::int64_t, double>>& out) {
  if (axis == axes.size()) {
    out.emplace_back(index, weight);
    return;
  }
  for (int t = 0; t < axes[axis].count; ++t) {
    const auto i = static_cast<std::size_t>(t);
    if (axes[axis].at[i] < 0 || axes[axis].weight[i] == 0) continue;
    combine_taps(axes, strides, axis + 1, index + axes[axis].at[i] * strides[axis], weight * axes[axis].weight[i], out);
  }
}

void check_shapes(const EvaluateContext& ctx, std::int64_t spatial) {
  const Tensor &x = ctx.in(0), &grid = ctx.in(1);
  if (spatial < 1 || grid.rank() != x.rank() || grid.dim(-1) != spatial || grid.dim(0) != x.dim(0))
    ctx.fail("grid does not fit the input", to_string(x.dims()), to_string(grid.dims()));
}

std::vector<Tensor> evaluate(const EvaluateContext& ctx) {
  const Tensor &x = ctx.in(0), &grid = ctx.in(1);
  const auto spatial = x.rank() - 2;
  check_shapes(ctx, spatial);
  const Mode mode = mode_of(ctx);
  const Padding padding = padding_of(ctx);
  const bool align = ctx.node.int_or("align_corners", 0) != 0;
  std::vector<Axis> axes;
  for (std::int64_t i = 2; i < x.rank(); ++i) {
    const auto size = static_cast<double>(x.dim(i));
    axes.push_back(align ? Axis{x.dim(i), 0, size - 1} : Axis{x.dim(i), -0.5, size - 0.5});
    if (x.dim(i) < 1 && grid.numel() > 0) ctx.fail("a spatial axis is empty");
  }
  Dims dims = {x.dim(0), x.dim(1)}, plane_dims(x.dims().begin() + 2, x.dims().end());
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  require_room(ctx, dims);
  const Dims strides = strides_of(plane_dims);
  const std::int64_t plane = element_count(plane_dims), channels = x.dim(1),
                     points = element_count(Dims(dims.begin() + 2, dims.end()));
  const std::vector<double> values = to_doubles(x), positions = to_doubles(grid);
  std::vector<double> out(static_cast<std::size_t>(element_count(dims)));
  std::vector<Taps> taps(static_cast<std::size_t>(spatial));
  std::vector<std::pair<std::int64_t, double>> reads;
  for (std::int64_t n = 0; n < x.dim(0); ++n) {
    for (std::int64_t p = 0; p < points; ++p) {
      const double* at = positions.data() + (n * points + p) * spatial;
      for (std::int64_t a = 0; a < spatial; ++a)
        taps[static_cast<std::size_t>(a)] =
            taps_at(at[spatial - 1 - a], axes[static_cast<std::size_t>(a)], align, mode, padding);
      reads.clear();
      combine_taps(taps, strides, 0, 0, 1, reads);
      for (std::int64_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (const auto& [index, weight] : reads)
          sum += weight * values[static_cast<std::size_t>((n * channels + c) * plane + index)];
        out[static_cast<std::size_t>((n * channels + c) * points + p)] = sum;
      }
    }
  }
  return {from_doubles(x.dtype(), dims, out)};
}

}  // namespace

extern const Operator kGridSample = {
    .op_type = "GridSample",
    .since = 16,
    .min_inputs = 2,
    .max_inputs = 2,
    .attributes = {"align_corners", "mode", "padding_mode"},
    .infer = infer,
    .evaluate = evaluate,
    .axes = axes_pooling,
};

}  // namespace pare::ir::ops
