// taylor: squared first-order change of the loss when a filter is removed (Molchanov et al., Importance Estimation for
// Neural Network Pruning, 2019).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->taylor; }

}  // namespace

const Importance& taylor_importance() {
  static const Importance row = {"taylor", "squared first-order change of the loss when a filter is removed",
                                 "Molchanov et al., Importance Estimation for Neural Network Pruning, 2019",
                                 Importance::Data::kGradients, score};
  return row;
}

}  // namespace pare::compress
