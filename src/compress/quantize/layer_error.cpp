#include "compress/quantize/layer_error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/linear_algebra.h"

namespace pare::compress {

std::vector<std::int32_t> nearest_levels(const RoundedLayer& layer) {
  const auto [low, high] = passes::integer_limits(layer.params);
  std::vector<std::int32_t> levels(layer.weight.size());
  for (std::size_t at = 0; at < levels.size(); ++at)
    levels[at] = static_cast<std::int32_t>(std::clamp(
        std::nearbyint(static_cast<double>(layer.weight[at]) / layer.scale(at)) + layer.zero(at), low, high));
  return levels;
}

std::vector<double> output_errors(const RoundedLayer& layer, std::span<const std::int32_t> integers) {
  constexpr std::int64_t kRows = 256;  // that share a pass over H
  const std::size_t n = layer.columns();
  const std::int64_t each = layer.outputs_of_group();
  std::vector<double> errors, off, slopes;
  for (std::int64_t g = 0; g < layer.groups; ++g)
    for (std::int64_t first = 0; first < each; first += kRows) {
      const std::int64_t rows = std::min(kRows, each - first);
      off.resize(static_cast<std::size_t>(rows) * n);
      slopes.resize(off.size());
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::size_t j = 0; j < n; ++j) {
          const std::size_t at = layer.element(g * each + first + r, j);
          off[static_cast<std::size_t>(r) * n + j] =
              (integers[at] - layer.zero(at)) * layer.scale(at) - static_cast<double>(layer.weight[at]);
        }
      const auto width = static_cast<std::int64_t>(n);
      multiply(off, layer.hessian_of(g), rows, width, width, slopes);
      for (auto row = off.begin(), slope = slopes.begin(); row != off.end(); row += width, slope += width)
        errors.push_back(std::inner_product(row, row + width, slope, 0.0));
    }
  return errors;
}

std::vector<double> output_shifts(const RoundedLayer& layer, std::span<const std::int32_t> integers,
                                  std::span<const double> x) {
  const std::size_t n = layer.columns();
  std::vector<double> shifts;
  for (std::int64_t o = 0; o < layer.view.outputs; ++o) {
    const auto own = x.subspan(static_cast<std::size_t>(o / layer.outputs_of_group()) * n, n);
    double shift = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const std::size_t at = layer.element(o, j);
      shift += ((integers[at] - layer.zero(at)) * layer.scale(at) - static_cast<double>(layer.weight[at])) * own[j];
    }
    shifts.push_back(shift);
  }
  return shifts;
}

}  // namespace pare::compress
