// wanda: sum of the magnitudes of a filter's weights, each times the norm of what it meets (Sun et al., A Simple and
// Effective Pruning Approach for Large Language Models, 2024).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->inputs; }

}  // namespace

const Importance& wanda_importance() {
  static const Importance row = {"wanda", "sum of |weight| times the norm of its input over the samples",
                                 "Sun et al., A Simple and Effective Pruning Approach for Large Language Models, 2024",
                                 Importance::Data::kInputs, score};
  return row;
}

}  // namespace pare::compress
