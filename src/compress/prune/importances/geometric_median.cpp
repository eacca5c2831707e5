// geometric-median: sum of a filter's distances to the others of its layer: the replaceable ones go (He et al., Filter
// Pruning via Geometric Median, 2019).
#include <algorithm>
#include <cmath>

#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

/// Units may be uneven: weights that one of them lacks count as zeros.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double square = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double difference = (i < a.size() ? a[i] : 0) - (i < b.size() ? b[i] : 0);
    square += difference * difference;
  }
  return std::sqrt(square);
}

std::vector<double> score(const FilterSet& filters) {
  const auto units = static_cast<std::size_t>(filters.units);
  std::vector<std::vector<double>> rows(units);
  filters.for_each([&](std::size_t unit, double value) { rows[unit].push_back(value); });
  std::vector<double> sums(units, 0.0);
  for (std::size_t a = 0; a < units; ++a)
    for (std::size_t b = 0; b < a; ++b) {
      const double apart = distance(rows[a], rows[b]);
      sums[a] += apart;
      sums[b] += apart;
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
