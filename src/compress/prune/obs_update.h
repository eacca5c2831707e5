// The optimal brain surgeon, layer by layer: zeros are chosen by what they cost the layer's output, and the weights that
// stay make up for them (Hassibi & Stork 1993; SparseGPT: Frantar & Alistarh, Massive Language Models Can Be Accurately
// Pruned in One-Shot, 2023).
#pragma once

#include <span>

#include "compress/prune/selection.h"

namespace pare::compress {

struct ObsOptions {
  double damping = 0.01;    ///< of the mean of H's diagonal, added to the diagonal
  std::int64_t block = 128; ///< columns over which zeros of an unstructured pattern are chosen at once
  bool update = true;       ///< false: the weights that stay are left as they are
  std::int64_t exact = 0;   ///< columns up to which zeros are chosen one after the other (obs_exact)
  bool refit = true;        ///< the weights that stay are solved for anew, each row over all its columns
};

/// The weight with the rule's zeros and the others updated. `hessian`: Σ x xᵀ over samples, row-major over columns
/// t·inputs + i of the view; of a convolution with groups one after the other, [groups, columns, columns]. With
/// H⁻¹ = UᵀU upper triangular, column after column: at the begin of each block (of each group of a balanced pattern)
/// the weights of least w_j²/U_jj² are chosen (of all rows together, or q of each row's group kept), and each that goes
/// changes those behind it by w_k ← w_k − w_j·U_jk/U_jj (algorithm 1). That leaves the columns in front of a zero as
/// they were; the refit ends with the best weights for each row's zeros, H_SS·v = H_S·w over its survivors S. Zeros
/// that were there stay with rule.keep_zeros. Blocks go together at w_Bᵀ(H⁻¹_BB)⁻¹w_B. `saliency`, where given, becomes
/// w²/[H⁻¹]_jj of each weight as it was, in its layout: what the layer's squared output error grows by when it alone
/// goes and all others make up for it.
Tensor obs_prune(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian, std::int64_t groups,
                 const ObsOptions& options, std::vector<float>* saliency = nullptr);

/// What the mean squared error of an output grows by, summed over the layer's outputs, when a weight goes alone and no
/// other makes up for it: w²·H_jj / rows, by weight, in its layout; of a block of the pattern w_BᵀH_BB·w_B / rows divided
/// by its size. `rows_seen`: how many x the Hessian sums over. By this layers are ranked together. w²/[H⁻¹]_jj counts on
/// help of weights most of which go too (fmnist_convnet at 90 %: 81.4 % top-1 by it, 87.2 % by this, 69.5 % where all
/// layers lose the same share), and shares of the layers' output energy take too much of layers with many inputs
/// (83.0 %).
std::vector<float> mean_damage(const PruneTarget& target, const PruneRule& rule, std::span<const double> hessian,
                               std::int64_t groups, std::int64_t rows_seen);

/// Error(kUnsupported) naming the layer where a block of the pattern would cross the groups of a grouped convolution.
void require_whole_blocks(const std::string& layer, const ir::WeightView& view, std::int64_t groups,
                          const ir::SparsityPattern& pattern);

}  // namespace pare::compress
