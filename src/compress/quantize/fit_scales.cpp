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

/// An output while its equations are made.
struct Row {
  Equations eq;
  std::vector<std::size_t> slot;  ///< of each column, among eq.scales
  std::vector<double> u, w;       ///< q − z and the weight
  std::vector<double> hu, hw;     ///< H u_k of every slot [slots, columns], and H w

  Row(const RoundedLayer& layer, std::span<const std::int32_t> integers, std::int64_t output) {
    const std::size_t n = layer.columns();
    std::map<std::size_t, std::size_t> known;
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t at = layer.element(output, j);
      const auto [found, first] = known.try_emplace(layer.map(at), eq.scales.size());
      if (first) eq.scales.push_back(found->first);
      slot.push_back(found->second);
      u.push_back(integers[at] - layer.zero(at));
      w.push_back(static_cast<double>(layer.weight[at]));
    }
    hu.assign(eq.scales.size() * n, 0.0);
    hw.assign(n, 0.0);
  }

  static void add(double factor, const double* from, double* to, std::size_t n) {
    for (std::size_t i = 0; factor != 0 && i < n; ++i) to[i] += factor * from[i];
  }
  /// Row j of H, which is its column too.
  void see(std::size_t j, const double* h) {
    const std::size_t n = u.size();
    add(u[j], h, &hu[slot[j] * n], n);
    add(w[j], h, hw.data(), n);
  }
  Equations finish() {
    const std::size_t n = u.size(), k = eq.scales.size();
    eq.matrix.assign(k * k, 0.0);
    eq.right.assign(k, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t l = 0; l < k; ++l) eq.matrix[slot[i] * k + l] += u[i] * hu[l * n + i];
      eq.right[slot[i]] += u[i] * hw[i];
    }
    return std::move(eq);
  }
};

/// Of the outputs [first, first + count) of one group, which share each row of H.
void find_equations(const RoundedLayer& layer, std::span<const std::int32_t> integers, std::int64_t first,
                    std::int64_t count, std::span<Equations> all) {
  const std::size_t n = layer.columns();
  const auto h = layer.hessian_of(first / layer.outputs_of_group());
  std::vector<Row> rows;
  for (std::int64_t o = first; o < first + count; ++o) rows.emplace_back(layer, integers, o);
  for (std::size_t j = 0; j < n; ++j)
    for (Row& row : rows) row.see(j, &h[j * n]);
  for (std::int64_t r = 0; r < count; ++r)
    all[static_cast<std::size_t>(first + r)] = rows[static_cast<std::size_t>(r)].finish();
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
  constexpr std::int64_t kRows = 8;
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
  for (Equations& eq : all) {
    const std::vector<std::size_t> scales = eq.scales;
    take(fitted, scales, solve(std::move(eq), layer.params.scale));
  }
  return fitted;
}

}  // namespace pare::compress
