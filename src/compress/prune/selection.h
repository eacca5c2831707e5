// Which weights pruning keeps, by magnitude.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/sparsity.h"

namespace pare::compress {

/// A weight tensor (f32) as patterns see it.
struct PruneTarget {
  std::string name;
  Tensor weight;
  ir::WeightView view;
};

struct PruneRule {
  ir::SparsityPattern pattern;
  double sparsity = 0;              ///< final fraction of zeros (unstructured)
  std::optional<double> threshold;  ///< instead: zero what is smaller than this in magnitude
  bool global = false;              ///< one ranking over all targets instead of one each
  bool keep_zeros = true;           ///< zeros of the weights stay masked even where the rule would keep them
};

/// uint8 0/1 masks (0: pruned), one for each target, when `progress` (0 to 1) of the way from `initial` sparsity to the
/// rule's is done on the cubic curve of cubic_sparsity(). Equal magnitudes: the earlier element is pruned first when
/// unstructured, kept first in a balanced group.
std::vector<Tensor> choose_masks(std::span<const PruneTarget> targets, const PruneRule& rule, double initial,
                                 double progress);

/// s_f + (s_i − s_f)(1 − t)³ for t in [0, 1] (Zhu & Gupta 2017).
double cubic_sparsity(double initial, double final, double t);
/// Survivors of a full group at progress t of the same curve, from `group` down to q.
int balanced_survivors(const ir::SparsityPattern& pattern, double t);

/// Fraction of zeros over all masks / of exact zeros over all weights.
double masked_fraction(std::span<const Tensor> masks);
double zero_fraction(std::span<const PruneTarget> targets);

}  // namespace pare::compress
