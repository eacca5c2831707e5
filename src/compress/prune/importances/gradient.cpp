// gradient: sum of the magnitudes of the loss gradients of a filter (Mozer and Smolensky, Skeletonization, 1989).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->gradient; }

}  // namespace

const Importance& gradient_importance() {
  static const Importance row = {"gradient", "sum of the magnitudes of the loss gradients of a filter",
                                 "Mozer and Smolensky, Skeletonization, 1989", Importance::Data::kGradients, score};
  return row;
}

}  // namespace pare::compress
