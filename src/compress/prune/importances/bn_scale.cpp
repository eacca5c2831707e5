// bn-scale: magnitude of the scale that BatchNormalization gives a channel (Liu et al., Learning Efficient
// Convolutional Networks through Network Slimming, 2017).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->scale; }

}  // namespace

const Importance& bn_scale_importance() {
  static const Importance row = {"bn-scale", "magnitude of the scale that BatchNormalization gives a channel",
                                 "Liu et al., Learning Efficient Convolutional Networks through Network Slimming, 2017",
                                 Importance::Data::kNorms, score};
  return row;
}

}  // namespace pare::compress
