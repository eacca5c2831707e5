// l2: root of the sum of squares of a filter's weights (He et al., Soft Filter Pruning, 2018).
#include <cmath>

#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) {
  std::vector<double> norms(static_cast<std::size_t>(filters.units), 0.0);
  filters.for_each([&](std::size_t unit, double value) { norms[unit] += value * value; });
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace

const Importance& l2_importance() {
  static const Importance row = {"l2", "root of the sum of squares of a filter's weights",
                                 "He et al., Soft Filter Pruning, 2018", Importance::Data::kNone, score};
  return row;
}

}  // namespace pare::compress
