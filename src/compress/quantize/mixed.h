// Mixed precision: bits for each layer's weights, by how much each disturbs the model's output, under a budget.
#pragma once

#include <functional>

#include "compress/quantize/probe.h"
#include "compress/targets.h"

namespace pare::compress {

/// The option group "mixed".
Option mixed_option();

/// Error(kUsage) where `mixed` (resolved, not null) contradicts itself.
void validate_mixed(const nlohmann::json& mixed);

/// Bits by initializer name. Σ of the noises that the layers' weights make at the output one at a time is least (noise
/// measured end to end on the probe; activations in float) while the mean of bits is at most `mixed.average`, counted by
/// weights (`mixed.by: size`) or by multiply-accumulates (`operations`). The program is that of HAWQ-V3 (Yao et al.
/// 2021, equation 5), with measured noise in place of the Hessian's trace. `found` gets what was measured and chosen.
std::map<std::string, int> choose_bits(const ir::Model& model, const std::vector<Layer>& layers, const Probe& probe,
                                       StepContext& context, nlohmann::json& found);

}  // namespace pare::compress
