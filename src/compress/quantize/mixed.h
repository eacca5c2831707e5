// Mixed precision: each layer its own bits, by how much it disturbs the model's output, under a budget.
#pragma once

#include <functional>

#include "compress/quantize/probe.h"
#include "compress/quantize/static_writer.h"
#include "compress/targets.h"

namespace pare::compress {

/// The option group "mixed".
Option mixed_option();

/// Error(kUsage) where `mixed` (resolved, not null) contradicts itself.
void validate_mixed(const nlohmann::json& mixed);

/// Whether what a layer costs is taken from the Hessian of the training loss, which needs the train plug-in.
bool mixed_needs_gradients(const nlohmann::json& options);

struct MixedChoice {
  std::map<std::string, int> bits;  ///< by initializer, of the layers on integers
  std::set<std::string> floats;     ///< layers that stay float
};

/// Σ of the layers' costs is least within the budget: an integer program as that of HAWQ-V3 (Yao et al. 2021, equation 5).
/// What a layer costs at some bits (`mixed.sensitivity`): "noise", what its rounded weights alone do to the output,
/// measured end to end on the probe; "hessian", Ω = Tr(H)/n · ‖Q(W) − W‖² (HAWQ-V2, Dong et al. 2020, equation 6), H the
/// Hessian of the training loss (hessian_trace.h). Budget (`mixed.by`): "size" and "operations", the mean of bits over
/// weights or multiply-accumulates is at most `mixed.average`; "latency", the layers take at most `mixed.latency` of
/// their time in float, both measured on this machine at batch 1; a layer may stay float, and the noise of one on
/// integers is that of its input too. A budget of time below what the fastest choice takes is warned of, and that choice
/// taken. `found` gets what was measured and chosen. `probe` may be null where nothing is measured by it.
MixedChoice choose_mixed(const ir::Model& model, StaticWriter& writer, const Probe* probe, StepContext& context,
                         nlohmann::json& found);

}  // namespace pare::compress
