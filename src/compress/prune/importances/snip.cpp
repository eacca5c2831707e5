// snip: sum of |weight times gradient|, the connection sensitivity (Lee et al., SNIP: Single-shot Network Pruning,
// 2019).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->product; }

}  // namespace

const Importance& snip_importance() {
  static const Importance row = {"snip", "sum of |weight times gradient|, the connection sensitivity",
                                 "Lee et al., SNIP: Single-shot Network Pruning, 2019", Importance::Data::kGradients,
                                 score};
  return row;
}

}  // namespace pare::compress
