// Which weights pruning keeps: those of greatest score.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/prune/sparsity_curve.h"
#include "ir/sparsity.h"

namespace pare::compress {

/// A weight tensor (f32) as patterns see it.
struct PruneTarget {
  std::string name;
  Tensor weight;
  ir::WeightView view;
  std::vector<float> scores = {};  ///< by element of the weight; empty: magnitudes
};

struct PruneRule {
  /// What is ranked together: the weights of one layer, of one output channel, of all targets.
  enum class Scope { kLayer, kOutput, kGlobal };
  ir::SparsityPattern pattern;
  double sparsity = 0;              ///< final fraction of zeros (unstructured, blocks)
  std::optional<double> threshold;  ///< instead: zero what scores less than this
  Scope scope = Scope::kLayer;
  double most = 1;         ///< largest share that a target may lose where targets lose unlike shares: global, threshold
  bool keep_zeros = true;  ///< zeros of the weights stay masked even where the rule would keep them
  SparsityCurve curve = cubic_sparsity;
};

/// uint8 0/1 masks (0: pruned), one for each target, when `progress` (0 to 1) of the way from `initial` sparsity to the
/// rule's is done on the rule's curve. A block scores the mean of its weights. Equal scores: the earlier element is
/// pruned first when unstructured, kept first in a balanced group.
std::vector<Tensor> choose_masks(std::span<const PruneTarget> targets, const PruneRule& rule, double initial,
                                 double progress);

/// The share of each target's weights, or blocks, that goes by the rule's scope or threshold (unstructured, blocks).
std::vector<double> shares_by_rank(std::span<const PruneTarget> targets, const PruneRule& rule);

/// Survivors of a full group at progress t of the curve, from `group` down to N.
int balanced_survivors(const ir::SparsityPattern& pattern, double t, SparsityCurve curve = cubic_sparsity);

/// Fraction of zeros over all masks / of exact zeros over all weights.
double masked_fraction(std::span<const Tensor> masks);
double zero_fraction(std::span<const PruneTarget> targets);

}  // namespace pare::compress
