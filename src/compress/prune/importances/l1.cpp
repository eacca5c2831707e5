// l1: sum of the magnitudes of a filter's weights (Li et al., Pruning Filters for Efficient ConvNets, 2017).
#include <cmath>

#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) {
  std::vector<double> norms(static_cast<std::size_t>(filters.units), 0.0);
  filters.for_each([&](std::size_t unit, double value) { norms[unit] += std::fabs(value); });
  return norms;
}

}  // namespace

const Importance& l1_importance() {
  static const Importance row = {"l1", "sum of the magnitudes of a filter's weights",
                                 "Li et al., Pruning Filters for Efficient ConvNets, 2017", Importance::Data::kNone,
                                 score};
  return row;
}

}  // namespace pare::compress
