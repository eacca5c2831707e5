// Scores of single weights by the gradients of a loss.
#pragma once

#include "compress/prune/gradual.h"

namespace pare::compress {

/// |Σ over mini-batches b of n_b·term(w, g_b)| / N; g_b: the gradient of the mean loss of b's n_b samples, N samples in
/// all.
struct GradientFormula {
  std::int64_t batch = 32;  ///< samples of a mini-batch
  double (*term)(double weight, double gradient) = nullptr;
  bool normalized = false;  ///< divided by the sum over all weights
};

/// `samples` of the options. Of the loss of labels or targets before training, of the loss that trains while it does.
void score_by_gradients(std::vector<PruneTarget>& targets, const ScoringState& state, const GradientFormula& formula);

/// The option `samples`.
Option gradient_samples();

}  // namespace pare::compress
