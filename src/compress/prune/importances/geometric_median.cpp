// geometric-median: sum of a filter's distances to the others of its layer: the replaceable ones go (He et al., Filter
// Pruning via Geometric Median, 2019).
#include <cmath>

#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) {
  const auto units = static_cast<std::size_t>(filters.units);
  std::vector<std::vector<double>> rows(units);
  filters.for_each([&](std::size_t unit, double value) { rows[unit].push_back(value); });
  std::vector<double> sums(units, 0.0);
  for (std::size_t a = 0; a < units; ++a)
    for (std::size_t b = 0; b < a; ++b) {
      double square = 0;
      for (std::size_t i = 0; i < rows[a].size(); ++i) square += (rows[a][i] - rows[b][i]) * (rows[a][i] - rows[b][i]);
      sums[a] += std::sqrt(square);
      sums[b] += std::sqrt(square);
    }
  return sums;
}

}  // namespace

const Importance& geometric_median_importance() {
  static const Importance row = {
      "geometric-median", "sum of a filter's distances to the others of its layer: the replaceable ones go",
      "He et al., Filter Pruning via Geometric Median, 2019", Importance::Data::kNone, score};
  return row;
}

}  // namespace pare::compress
