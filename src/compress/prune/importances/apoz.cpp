// apoz: share of a channel's outputs that are above zero (Hu et al., Network Trimming, 2016).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->nonzero; }

}  // namespace

const Importance& apoz_importance() {
  static const Importance row = {"apoz", "share of a channel's outputs that are above zero",
                                 "Hu et al., Network Trimming, 2016", Importance::Data::kActivations, score};
  return row;
}

}  // namespace pare::compress
