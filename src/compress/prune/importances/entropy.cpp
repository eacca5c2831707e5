// entropy: entropy of a channel's map averages over the samples (Luo and Wu, An Entropy-based Pruning Method for CNN
// Compression, 2017).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->entropy; }

}  // namespace

const Importance& entropy_importance() {
  static const Importance row = {"entropy", "entropy of a channel's map averages over the samples",
                                 "Luo and Wu, An Entropy-based Pruning Method for CNN Compression, 2017",
                                 Importance::Data::kActivations, score};
  return row;
}

}  // namespace pare::compress
