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

/// Consecutive columns that share a scale within each output.
struct Run {
  std::size_t begin, end, slot;
};

/// Which of an output's scales each column has, the same for all outputs.
std::vector<Run> runs_of(const RoundedLayer& layer, std::int64_t output, std::vector<std::size_t>& scales) {
  std::map<std::size_t, std::size_t> known;
  std::vector<Run> runs;
  for (std::size_t j = 0; j < layer.columns(); ++j) {
    const auto [found, first] = known.try_emplace(layer.map(layer.element(output, j)), scales.size());
    if (first) scales.push_back(found->first);
    if (runs.empty() || runs.back().slot != found->second) runs.push_back({j, j, found->second});
    ++runs.back().end;
  }
  return runs;
}

/// The normal equations of outputs [first, first + count) of one group: u_kᵀ H u_l and u_kᵀ H w, where u_k is q − z in
/// the columns of scale k and 0 elsewhere.
void find_equations(const RoundedLayer& layer, std::span<const std::int32_t> integers, std::int64_t first,
                    std::int64_t count, std::span<Equations> all) {
  const std::size_t n = layer.columns(), outputs = static_cast<std::size_t>(count);
  const auto h = layer.hessian_of(first / layer.outputs_of_group());
  const auto eq_of = [&](std::size_t r) -> Equations& { return all[static_cast<std::size_t>(first) + r]; };
  std::vector<Run> runs;
  for (std::size_t r = 0; r < outputs; ++r)
    runs = runs_of(layer, first + static_cast<std::int64_t>(r), eq_of(r).scales);
  const std::size_t slots = eq_of(0).scales.size();
  std::vector<double> u(n * outputs), minus(n * outputs), product(n * outputs);  // [column, output]
  const auto multiply = [&](std::size_t begin, std::size_t end) {  // product += H's columns [begin, end) times −minus
    const auto i = [](std::size_t x) { return static_cast<std::int64_t>(x); };
    subtract_product(&h[begin * n], i(n), &minus[begin * outputs], count, product.data(), count, i(n), count,
                     i(end - begin));
  };
  /// What the product has in common with the u of each scale.
  const auto for_each_share = [&](const auto& take) {
    for (const Run& run : runs)
      for (std::size_t j = run.begin; j < run.end; ++j)
        for (std::size_t r = 0; r < outputs; ++r) take(r, run.slot, u[j * outputs + r] * product[j * outputs + r]);
  };
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t r = 0; r < outputs; ++r) {
      const std::size_t at = layer.element(first + static_cast<std::int64_t>(r), j);
      u[j * outputs + r] = integers[at] - layer.zero(at);
      minus[j * outputs + r] = -static_cast<double>(layer.weight[at]);
    }
  for (std::size_t r = 0; r < outputs; ++r) {
    eq_of(r).matrix.assign(slots * slots, 0.0);
    eq_of(r).right.assign(slots, 0.0);
  }
  multiply(0, n);
  for_each_share([&](std::size_t r, std::size_t k, double share) { eq_of(r).right[k] += share; });
  std::transform(u.begin(), u.end(), minus.begin(), [](double x) { return -x; });
  for (std::size_t l = 0; l < slots; ++l) {
    std::fill(product.begin(), product.end(), 0.0);
    for (const Run& run : runs)
      if (run.slot == l) multiply(run.begin, run.end);
    for_each_share([&](std::size_t r, std::size_t k, double share) { eq_of(r).matrix[k * slots + l] += share; });
  }
}

/// New scales, drawn to the old ones by next to nothing so that a scale of zeros is determined, and harder where
/// rounding leaves the equations of few samples indefinite; empty where one is not usable.
std::vector<double> solve(const Equations& eq, const std::vector<float>& old) {
  const std::size_t k = eq.scales.size();
  double mean = 0;
  for (std::size_t i = 0; i < k; ++i) mean += eq.matrix[i * k + i] / static_cast<double>(k);
  if (!(mean > 0)) return {};
  const auto usable = [](double s) {
    return s >= std::numeric_limits<float>::min() * 16.0 && s <= std::numeric_limits<float>::max();
  };
  for (double pull = 1e-6; pull <= 1; pull *= 10) {
    std::vector<double> matrix = eq.matrix, right = eq.right;
    for (std::size_t i = 0; i < k; ++i) {
      matrix[i * k + i] += pull * mean;
      right[i] += pull * mean * static_cast<double>(old[eq.scales[i]]);
    }
    const auto found = try_solve_positive(std::move(matrix), static_cast<std::int64_t>(k), std::move(right), 1);
    if (found) return std::ranges::all_of(*found, usable) ? *found : std::vector<double>{};
  }
  return {};
}

void take(passes::QuantParams& params, const std::vector<std::size_t>& scales, const std::vector<double>& found) {
  for (std::size_t i = 0; i < found.size(); ++i) params.scale[scales[i]] = static_cast<float>(found[i]);
}

}  // namespace

passes::QuantParams fit_scales(const RoundedLayer& layer, std::span<const std::int32_t> integers) {
  passes::QuantParams fitted = layer.params;
  std::vector<Equations> all(static_cast<std::size_t>(layer.view.outputs));
  constexpr std::int64_t kRows = 64;  // that share each reading of H
  const std::int64_t each = layer.outputs_of_group(), parts = (each + kRows - 1) / kRows;
  parallel_for(layer.groups * parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const std::int64_t first = part % parts * kRows;
      find_equations(layer, integers, part / parts * each + first, std::min(kRows, each - first), all);
    }
  });
  if (layer.params.axis < 0) {  // one scale for all outputs
    for (std::size_t o = 1; o < all.size(); ++o) {
      all[0].matrix[0] += all[o].matrix[0];
      all[0].right[0] += all[o].right[0];
    }
    all.resize(1);
  }
  for (const Equations& eq : all) take(fitted, eq.scales, solve(eq, layer.params.scale));
  return fitted;
}

}  // namespace pare::compress
