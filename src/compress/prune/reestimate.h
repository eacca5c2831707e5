// The statistics of the layers' outputs after pruning, brought back to what they were.
#pragma once

#include <string>
#include <vector>

#include "compress/method.h"
#include "compress/prune/selection.h"

namespace pare::compress {

/// The group `reestimate`: `match` and `samples`.
std::vector<Option> reestimate_options();

/// Error(kUsage) where `reestimate` is on without a train split.
void require_reestimation_data(const StepContext& context);

std::vector<std::string> weights_of(const std::vector<PruneTarget>& targets);

/// What re-estimating the running statistics of BatchNorm does to a network whose BatchNorm is folded into its layers, and
/// to one that never had any: layer after layer, in the order of the graph, each output's mean (and, with "variance", its
/// standard deviation) over samples and positions is set to what it is in `original`, by the bias (and by the scale of the
/// output's weights): y′ = (y − μ)·σ₀/σ + μ₀. Each layer is measured behind those that are corrected already. Zeros stay
/// zeros. `weights`: those of the layers that changed. Adds `reestimation` to the record. Does nothing where the
/// group is off.
void reestimate(const ir::Model& original, ir::Model& model, const std::vector<std::string>& weights,
                StepContext& context);

}  // namespace pare::compress
