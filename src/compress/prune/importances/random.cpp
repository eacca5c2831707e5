// random: chance: the control that the others have to beat (Mittal et al., Recovering from Random Pruning, 2018).
#include "base/rng.h"
#include "compress/prune/importance.h"

namespace pare::compress {
namespace {

std::vector<double> score(const FilterSet& filters) {
  Rng rng(filters.seed, kRngMethod);
  std::vector<double> scores(static_cast<std::size_t>(filters.units));
  for (double& score : scores) score = rng.uniform();
  return scores;
}

}  // namespace

const Importance& random_importance() {
  static const Importance row = {"random", "chance: the control that the others have to beat",
                                 "Mittal et al., Recovering from Random Pruning, 2018", Importance::Data::kNone, score};
  return row;
}

}  // namespace pare::compress
