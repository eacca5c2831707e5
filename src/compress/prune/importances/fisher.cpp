// fisher: diagonal of the Fisher information times the squared weights (Theis et al., Faster Gaze Prediction with Dense
// Networks and Fisher Pruning, 2018).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->fisher; }

}  // namespace

const Importance& fisher_importance() {
  static const Importance row = {"fisher", "diagonal of the Fisher information times the squared weights",
                                 "Theis et al., Faster Gaze Prediction with Dense Networks and Fisher Pruning, 2018",
                                 Importance::Data::kSampleGradients, score};
  return row;
}

}  // namespace pare::compress
