// activation-mean: mean magnitude of a channel's outputs (Molchanov et al., Pruning Convolutional Neural Networks for
// Resource Efficient Inference, 2017).
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) { return filters.measures->mean; }

}  // namespace

const Importance& activation_mean_importance() {
  static const Importance row = {
      "activation-mean", "mean magnitude of a channel's outputs",
      "Molchanov et al., Pruning Convolutional Neural Networks for Resource Efficient Inference, 2017",
      Importance::Data::kActivations, score};
  return row;
}

}  // namespace pare::compress
