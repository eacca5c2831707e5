// mixup (Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018): a step learns from mixtures of two samples.
#pragma once

#include <vector>

#include "train/torch_headers.h"

namespace pare::train {

/// What a batch's outputs should be: class labels, float32 targets [N, …], or neither.
struct Answers {
  std::vector<std::int64_t> labels;
  at::Tensor targets;
  std::vector<std::int64_t> partners;  ///< the labels of the samples mixed in; empty: none are
  double share = 1;                    ///< of `labels` in the mixture

  Answers narrowed(std::int64_t begin, std::int64_t end) const;
};

/// A share from Beta(alpha, alpha).
double mixing_share(double alpha, const at::Generator& generator);

/// Each sample becomes `share` of itself and the rest of the one at the mirrored place of the batch; targets likewise.
void mix(std::vector<at::Tensor>& inputs, Answers& answers, double share);

}  // namespace pare::train
