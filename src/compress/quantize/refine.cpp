#include "compress/quantize/refine.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/linear_algebra.h"
#include "base/threads.h"

namespace pare::compress {
namespace {

/// Outputs that are refined together: they share each row of H.
struct Rows {
  std::int64_t first, count;
};

struct Refinement {
  std::span<const float> weight;
  const ir::WeightView& view;
  const passes::QuantParams& params;
  const passes::ParamMap& map;
  std::span<std::int32_t> integers;

  std::size_t element(std::int64_t output, std::size_t column) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(view.index(output, c / view.inputs, c % view.inputs));
  }
  double value(std::size_t at) const {
    const std::size_t p = map(at);
    return static_cast<double>(integers[at] - params.zero_point[p]) * static_cast<double>(params.scale[p]);
  }
  /// Moves column j of these outputs, whose ŵ − w is `off` and whose slopes H_j·(ŵ − w) are `slopes`, both [rows];
  /// `by` gets how far back. Whether any moved.
  bool move(const Rows& rows, std::size_t j, double curvature, const double* slopes, double* off, double* by) const {
    const auto [low, high] = passes::integer_limits(params);
    bool moved = false;
    for (std::size_t r = 0; r < static_cast<std::size_t>(rows.count); ++r) {
      by[r] = 0;
      const std::size_t at = element(rows.first + static_cast<std::int64_t>(r), j), p = map(at);
      const auto w = static_cast<double>(weight[at]);
      if (w == 0) continue;
      const double best = w + off[r] - slopes[r] / curvature, scale = static_cast<double>(params.scale[p]);
      const auto level = static_cast<std::int32_t>(
          std::clamp(std::nearbyint(best / scale) + params.zero_point[p], low, high));
      if (level == integers[at]) continue;
      integers[at] = level;
      by[r] = off[r] - (value(at) - w);
      off[r] = value(at) - w;
      moved = true;
    }
    return moved;
  }
};

/// One sweep. Slopes are kept up to date: within a block of columns after every move, outside it by one matrix product
/// a block.
bool sweep_rows(const Refinement& layer, const Rows& rows, std::span<const double> hessian, std::size_t n,
                std::vector<double>& off, std::vector<double>& slopes) {
  constexpr std::size_t kBlock = 128;
  const auto count = static_cast<std::size_t>(rows.count);
  const auto i = [](std::size_t x) { return static_cast<std::int64_t>(x); };
  const auto spread = [&](std::size_t first, std::size_t last, std::size_t begin, std::size_t end, const double* back) {
    subtract_product(&hessian[begin * n + first], i(n), back, i(count), &slopes[first * count], i(count), i(last - first),
                     i(count), i(end - begin));
  };
  std::vector<double> back(kBlock * count);  // moves, with their signs turned
  bool any = false;
  for (std::size_t begin = 0; begin < n; begin += kBlock) {
    const std::size_t end = std::min(n, begin + kBlock);
    bool here = false;
    std::fill(back.begin(), back.end(), 0.0);
    for (std::size_t j = begin; j < end; ++j) {
      const double* h = &hessian[j * n];
      double* by = &back[(j - begin) * count];
      if (!(h[j] > 0) || !layer.move(rows, j, h[j], &slopes[j * count], &off[j * count], by)) continue;
      here = true;
      for (std::size_t k = begin; k < end; ++k)
        for (std::size_t r = 0; r < count; ++r) slopes[k * count + r] -= h[k] * by[r];
    }
    if (!here) continue;
    any = true;
    if (begin > 0) spread(0, begin, begin, end, back.data());
    if (end < n) spread(end, n, begin, end, back.data());
  }
  return any;
}

void refine_rows(const Refinement& layer, const Rows& rows, std::span<const double> hessian, std::size_t n,
                 int sweeps) {
  const auto count = static_cast<std::size_t>(rows.count);
  std::vector<double> off(n * count), back(n * count), slopes(n * count);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t at = layer.element(rows.first + static_cast<std::int64_t>(r), j);
      off[j * count + r] = layer.value(at) - static_cast<double>(layer.weight[at]);
      back[j * count + r] = -off[j * count + r];
    }
  const auto size = static_cast<std::int64_t>(n);
  subtract_product(hessian.data(), size, back.data(), rows.count, slopes.data(), rows.count, size, rows.count, size);
  for (int sweep = 0; sweep < sweeps; ++sweep)
    if (!sweep_rows(layer, rows, hessian, n, off, slopes)) return;
}

}  // namespace

void refine(std::span<const float> weight, const ir::WeightView& view, const passes::QuantParams& params,
            const passes::ParamMap& map, std::span<const double> hessian, std::int64_t groups, int sweeps,
            std::span<std::int32_t> integers) {
  constexpr std::int64_t kRows = 64;  // that share each reading of H
  if (sweeps == 0) return;
  const auto n = static_cast<std::size_t>(view.taps * view.inputs);
  const Refinement layer{weight, view, params, map, integers};
  const std::int64_t outputs = view.outputs / groups, parts = (outputs + kRows - 1) / kRows;
  for (std::int64_t g = 0; g < groups; ++g)
    parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t part = begin; part < end; ++part)
        refine_rows(layer, {g * outputs + part * kRows, std::min(kRows, outputs - part * kRows)},
                    hessian.subspan(static_cast<std::size_t>(g) * n * n, n * n), n, sweeps);
    });
}

}  // namespace pare::compress
