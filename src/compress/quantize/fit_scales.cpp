#include "compress/quantize/fit_scales.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/linear_algebra.h"
#include "base/threads.h"

namespace pare::compress {
namespace {

/// The normal equations of an output's scales.
struct Equations {
  std::vector<std::size_t> scales;    ///< their indices in the params
  std::vector<double> matrix, right;  ///< [scales, scales], [scales]
};

Equations equations_of(const RoundedLayer& layer, std::span<const std::int32_t> integers, std::int64_t output) {
  const std::size_t n = layer.columns();
  const auto h = layer.hessian_of(output / layer.outputs_of_group());
  Equations eq;
  std::vector<std::size_t> slot(n);
  std::vector<double> u(n), w(n);
  std::map<std::size_t, std::size_t> known;
  for (std::size_t j = 0; j < n; ++j) {
    const std::size_t at = layer.element(output, j);
    const auto [found, first] = known.try_emplace(layer.map(at), eq.scales.size());
    if (first) eq.scales.push_back(found->first);
    slot[j] = found->second;
    u[j] = integers[at] - layer.zero(at);
    w[j] = static_cast<double>(layer.weight[at]);
  }
  const std::size_t k = eq.scales.size();
  eq.matrix.assign(k * k, 0.0);
  eq.right.assign(k, 0.0);
  std::vector<double> by_slot(k);
  for (std::size_t i = 0; i < n; ++i) {
    if (u[i] == 0) continue;
    std::fill(by_slot.begin(), by_slot.end(), 0.0);
    double slope = 0;
    for (std::size_t j = 0; j < n; ++j) {
      by_slot[slot[j]] += h[i * n + j] * u[j];
      slope += h[i * n + j] * w[j];
    }
    for (std::size_t l = 0; l < k; ++l) eq.matrix[slot[i] * k + l] += u[i] * by_slot[l];
    eq.right[slot[i]] += u[i] * slope;
  }
  return eq;
}

/// New scales, drawn to the old ones by next to nothing so that a scale of zeros is determined; empty where one is not
/// usable.
std::vector<double> solve(Equations eq, const std::vector<float>& old) {
  constexpr double kPull = 1e-6;
  const std::size_t k = eq.scales.size();
  double mean = 0;
  for (std::size_t i = 0; i < k; ++i) mean += eq.matrix[i * k + i] / static_cast<double>(k);
  if (!(mean > 0)) return {};
  for (std::size_t i = 0; i < k; ++i) {
    eq.matrix[i * k + i] += kPull * mean;
    eq.right[i] += kPull * mean * static_cast<double>(old[eq.scales[i]]);
  }
  const std::vector<double> found = solve_positive(std::move(eq.matrix), static_cast<std::int64_t>(k), eq.right, 1);
  constexpr double kSmallest = std::numeric_limits<float>::min() * 16.0;
  const bool usable =
      std::ranges::all_of(found, [](double s) { return s >= kSmallest && s <= std::numeric_limits<float>::max(); });
  return usable ? found : std::vector<double>{};
}

void take(passes::QuantParams& params, const std::vector<std::size_t>& scales, const std::vector<double>& found) {
  for (std::size_t i = 0; i < found.size(); ++i) params.scale[scales[i]] = static_cast<float>(found[i]);
}

}  // namespace

passes::QuantParams fit_scales(const RoundedLayer& layer, std::span<const std::int32_t> integers) {
  passes::QuantParams fitted = layer.params;
  std::vector<Equations> all(static_cast<std::size_t>(layer.view.outputs));
  parallel_for(layer.view.outputs, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) all[static_cast<std::size_t>(o)] = equations_of(layer, integers, o);
  });
  if (layer.params.axis < 0) {  // one scale for all outputs
    for (std::size_t o = 1; o < all.size(); ++o) {
      all[0].matrix[0] += all[o].matrix[0];
      all[0].right[0] += all[o].right[0];
    }
    all.resize(1);
  }
  for (Equations& eq : all) {
    const std::vector<std::size_t> scales = eq.scales;
    take(fitted, scales, solve(std::move(eq), layer.params.scale));
  }
  return fitted;
}

}  // namespace pare::compress
