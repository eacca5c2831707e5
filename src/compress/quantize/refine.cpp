#include "compress/quantize/refine.h"

#include <algorithm>
#include <cmath>
#include <vector>

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
  /// Moves column j of these outputs, whose ŵ − w is `off` [columns, rows], by the slopes H_j·(ŵ − w).
  bool move(const Rows& rows, std::size_t j, double curvature, std::span<const double> slopes,
            std::span<double> off) const {
    const auto [low, high] = passes::integer_limits(params);
    bool moved = false;
    for (std::size_t r = 0; r < slopes.size(); ++r) {
      const std::size_t at = element(rows.first + static_cast<std::int64_t>(r), j), p = map(at);
      const auto w = static_cast<double>(weight[at]);
      if (w == 0) continue;
      double& error = off[j * slopes.size() + r];
      const double best = w + error - slopes[r] / curvature, scale = static_cast<double>(params.scale[p]);
      const auto level = static_cast<std::int32_t>(
          std::clamp(std::nearbyint(best / scale) + params.zero_point[p], low, high));
      if (level == integers[at]) continue;
      integers[at] = level;
      error = value(at) - w;
      moved = true;
    }
    return moved;
  }
};

void refine_rows(const Refinement& layer, const Rows& rows, std::span<const double> hessian, std::size_t n,
                 int sweeps) {
  const auto count = static_cast<std::size_t>(rows.count);
  std::vector<double> off(n * count), slopes(count);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t at = layer.element(rows.first + static_cast<std::int64_t>(r), j);
      off[j * count + r] = layer.value(at) - static_cast<double>(layer.weight[at]);
    }
  bool moved = true;
  for (int sweep = 0; sweep < sweeps && moved; ++sweep) {
    moved = false;
    for (std::size_t j = 0; j < n; ++j) {
      const double* h = &hessian[j * n];
      if (!(h[j] > 0)) continue;
      std::fill(slopes.begin(), slopes.end(), 0.0);
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t r = 0; r < count; ++r) slopes[r] += h[k] * off[k * count + r];
      moved |= layer.move(rows, j, h[j], slopes, off);
    }
  }
}

}  // namespace

void refine(std::span<const float> weight, const ir::WeightView& view, const passes::QuantParams& params,
            const passes::ParamMap& map, std::span<const double> hessian, std::int64_t groups, int sweeps,
            std::span<std::int32_t> integers) {
  constexpr std::int64_t kRows = 32;  // [columns, 32] of f64 stays in L2
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
