#include "train/uniform_grid.h"

#include <cmath>
#include <utility>
#include <vector>

#include "base/threads.h"
#include "train/grid.h"

namespace pare::train {
namespace {

using ir::FakeQuantizer;
using ir::FakeScheme;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kPiece = 65536;  ///< elements that a thread takes at once

/// One for each index of the axis; an empty offset is none.
std::vector<Grid> grids_of(const FakeQuantizer& how, const at::Tensor& scale, const at::Tensor& offset) {
  const at::Tensor scales = scale.detach().to(at::kCPU, at::kFloat).contiguous();
  const bool pact = how.scheme == FakeScheme::kPact;
  const auto low = static_cast<float>(how.low), high = static_cast<float>(how.high);
  std::vector<Grid> grids;
  for (std::int64_t c = 0; c < scales.numel(); ++c) {
    const float step = std::max(scales.data_ptr<float>()[c], ir::kSmallestStep) / (pact ? high : 1.0F);
    float zero = 0;
    if (offset.numel() > 0)
      zero = std::min(std::max(std::nearbyint(-offset.detach().to(at::kCPU).item<float>() / step), low), high);
    // The offset moves the range; −Qn and Qp stay what they are.
    grids.push_back({step, low - zero, high - zero, pact ? 0 : low, pact ? 1 : high, !pact});
  }
  return grids;
}

/// The elements of each index of the axis side by side, in whatever order the others lie.
at::Tensor by_index(const at::Tensor& x, std::int64_t axis) {
  if (axis > 0) return x.transpose(0, axis).contiguous();
  const bool outermost = axis < 0 || (x.numel() > 0 && x.stride(0) == x.numel() / x.size(0));
  return x.is_non_overlapping_and_dense() && outermost ? x : x.contiguous();
}

at::Tensor back_in_place(const at::Tensor& y, std::int64_t axis) { return axis > 0 ? y.transpose(0, axis) : y; }

std::int64_t pieces_of_each(std::int64_t count, std::int64_t grids) {
  return grids == 0 ? 0 : (count / grids + kPiece - 1) / kPiece;
}

/// run(begin, end, grid, piece) over all elements, in pieces that do not depend on the number of threads.
template <class Run>
void for_pieces(std::int64_t count, std::int64_t grids, Run run) {
  const std::int64_t pieces = pieces_of_each(count, grids), each = pieces == 0 ? 0 : count / grids;
  const std::int64_t grain = std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, std::min(each, kPiece)));
  parallel_for(grids * pieces, grain, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      const std::int64_t c = piece / pieces, from = piece % pieces * kPiece;
      run(c * each + from, c * each + std::min(from + kPiece, each), static_cast<std::size_t>(c),
          static_cast<std::size_t>(piece));
    }
  });
}

/// A number of every grid, shaped to broadcast along the axis of x.
template <class Get>
at::Tensor spread(const std::vector<Grid>& grids, const at::Tensor& x, std::int64_t axis, Get get) {
  std::vector<float> values;
  for (const Grid& grid : grids) values.push_back(get(grid));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  if (axis >= 0) shape[static_cast<std::size_t>(axis)] = -1;
  return at::tensor(values, at::kFloat).reshape(shape).to(x.device());
}

at::Tensor rounded(const FakeQuantizer& how, const at::Tensor& x, const std::vector<Grid>& grids) {
  if (!x.is_cpu()) {
    const auto each = [&](auto get) { return spread(grids, x, how.axis, get); };
    const at::Tensor step = each([](const Grid& grid) { return grid.step; });
    const at::Tensor low = each([](const Grid& grid) { return grid.low; });
    const at::Tensor high = each([](const Grid& grid) { return grid.high; });
    return at::round(at::minimum(at::maximum(x / step, low), high)) * step;
  }
  const at::Tensor from = by_index(x, how.axis);
  at::Tensor to = at::empty_like(from);
  const float* in = from.data_ptr<float>();
  float* out = to.data_ptr<float>();
  for_pieces(from.numel(), static_cast<std::int64_t>(grids.size()),
             [&](std::int64_t begin, std::int64_t end, std::size_t c, std::size_t) {
               round_to_grid(in + begin, out + begin, end - begin, grids[c]);
             });
  return back_in_place(to, how.axis);
}

struct Gradients {
  at::Tensor x, slope, saturated;  ///< sums f32 by index of the axis
};

Gradients by_operators(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& gradient,
                       const std::vector<Grid>& grids) {
  const auto each = [&](auto get) { return spread(grids, x, how.axis, get); };
  const at::Tensor v = x / each([](const Grid& grid) { return grid.step; });
  const at::Tensor under = v <= each([](const Grid& grid) { return grid.low; });
  const at::Tensor inside = at::logical_not(under).logical_and(v < each([](const Grid& grid) { return grid.high; }));
  const at::Tensor outer = at::where(under, each([](const Grid& grid) { return grid.low_slope; }),
                                     each([](const Grid& grid) { return grid.high_slope; }));
  const at::Tensor within = (at::round(v) - v) * each([](const Grid& grid) { return grid.rounding ? 1.0F : 0.0F; });
  std::vector<std::int64_t> others;
  for (std::int64_t i = 0; i < x.dim(); ++i)
    if (i != how.axis) others.push_back(i);
  const auto sum = [&](const at::Tensor& values) { return values.sum(others).reshape({-1}); };
  return {gradient * inside, sum(gradient * at::where(inside, within, outer)), sum(gradient * at::logical_not(inside))};
}

Gradients differentiated(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& gradient,
                         const std::vector<Grid>& grids) {
  if (!x.is_cpu()) return by_operators(how, x, gradient, grids);
  const at::Tensor from = by_index(x, how.axis);
  at::Tensor moved = how.axis > 0 ? gradient.transpose(0, how.axis) : gradient;
  if (!moved.strides().equals(from.strides())) moved = at::empty_like(from).copy_(moved);
  at::Tensor dx = at::empty_like(from);
  const float *in = from.data_ptr<float>(), *g = moved.data_ptr<float>();
  float* out = dx.data_ptr<float>();
  const auto count = static_cast<std::int64_t>(grids.size());
  const std::int64_t pieces = pieces_of_each(from.numel(), count);
  std::vector<GridSums> sums(static_cast<std::size_t>(count * pieces));
  for_pieces(from.numel(), count, [&](std::int64_t begin, std::int64_t end, std::size_t c, std::size_t piece) {
    sums[piece] = grid_gradients(in + begin, g + begin, out + begin, end - begin, grids[c]);
  });
  std::vector<double> slopes(grids.size(), 0), saturated(grids.size(), 0);
  for (std::size_t piece = 0; piece < sums.size(); ++piece) {
    const std::size_t c = piece / static_cast<std::size_t>(pieces);
    slopes[c] += sums[piece].slope;
    saturated[c] += sums[piece].saturated;
  }
  return {back_in_place(dx, how.axis), at::tensor(slopes, at::kDouble), at::tensor(saturated, at::kDouble)};
}

struct UniformGrid : torch::autograd::Function<UniformGrid> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const at::Tensor& offset, const FakeQuantizer& how) {
    context->save_for_backward({x, scale, offset});
    auto& data = context->saved_data;
    data["scheme"] = static_cast<std::int64_t>(how.scheme);
    data["low"] = how.low;
    data["high"] = how.high;
    data["axis"] = how.axis;
    data["activation"] = how.activation;
    return rounded(how, x, grids_of(how, scale, offset));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto number = [&](const char* key) { return context->saved_data.at(key).toInt(); };
    const FakeQuantizer how{static_cast<FakeScheme>(number("scheme")), number("low"), number("high"), number("axis"),
                            context->saved_data.at("activation").toBool()};
    const at::Tensor &x = saved[0], &scale = saved[1], &offset = saved[2];
    const Gradients found = differentiated(how, x, gradients[0], grids_of(how, scale, offset));
    const double factor = how.scheme == FakeScheme::kLsq ? gradient_scale(how, x, scale.numel()) : 1;
    const auto scaled = [&](const at::Tensor& sums) { return (sums * factor).to(scale.options()); };
    return {found.x, scaled(found.slope), offset.numel() > 0 ? scaled(found.saturated) : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor on_uniform_grid(const FakeQuantizer& how, const at::Tensor& x, const at::Tensor& scale,
                           const at::Tensor& offset) {
  // A Function takes no undefined tensor: none is an empty one.
  return UniformGrid::apply(x, scale, offset.defined() ? offset : at::empty({0}, at::kFloat), how);
}

double gradient_scale(const FakeQuantizer& how, const at::Tensor& x, std::int64_t scales) {
  const bool samples = how.activation && x.dim() > 0;
  const std::int64_t sharing = x.numel() / std::max<std::int64_t>(samples ? x.size(0) : scales, 1);
  return 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(sharing, 1)) * static_cast<double>(how.high));
}

}  // namespace pare::train
