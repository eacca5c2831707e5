// Reconstruction after channels are removed, without labels or training: the layers that read them make up for the
// loss.
#pragma once

#include "compress/prune/unit_selection.h"

namespace pare::compress {

/// The options `reconstruct` and `damping`; `samples` is shared with what the importances measure.
std::vector<Option> reconstruct_options();

/// Error(kUsage) where the options ask for a reconstruction and there is no train split.
void require_reconstruction_data(const StepContext& context);

/// For each layer of `model` whose inputs were removed, in graph order, so that each sees those before it corrected.
/// e: what the layer's output (behind the bias that follows a MatMul, and behind a residual sum whose other side is
/// computed before) lacks against `original`, the model before `removed` went from `groups`.
///   bias: b ← b + E[e], the mean over samples and positions.
///   least_squares: ΔW, Δb of least Σ‖e − ΔW·x − Δb‖² + λ‖ΔW‖², λ = damping · mean variance of the inputs x, x of the
///     pruned model (He, Zhang & Sun, Channel Pruning for Accelerating Very Deep Neural Networks, 2017, sections 3.1
///     step 2, 3.2 and 3.3; Luo, Wu & Lin, ThiNet, 2017, section 3.2.3).
/// context.record["reconstruction"] gets what was done to each, or why nothing was. Error(kBadInput) names the layer
/// whose system cannot be solved.
void reconstruct(const ir::Model& original, ir::Model& model, const std::vector<ir::ChannelGroup>& groups,
                 const RemovedUnits& removed, const StepContext& context);

}  // namespace pare::compress
