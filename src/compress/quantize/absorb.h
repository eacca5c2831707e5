// High-bias absorption (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, 2019, section
// 4.1.3): what a channel is nearly always above goes past the ReLU into the next layer's bias, so that the activation
// between needs no range for it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/quantize/rescale.h"
#include "compress/quantize/probe.h"

namespace pare::compress {

/// c_i = max(0, E[y_i] − 3·√Var[y_i]) of a channel before its ReLU: of Gaussian values 99.87 % lie above. The paper takes
/// β and γ of BatchNorm for the moments; where it is folded, what was seen of samples says the same.
std::vector<double> absorbed_shares(const InputChannels& before);

/// What became of the pairs, by "first → second, …".
struct Absorbed {
  std::map<std::string, double> largest;    ///< largest c of those that changed
  std::map<std::string, std::string> left;  ///< why others stay
};

/// b₁ ← b₁ − c and b₂ ← b₂ + W₂·c for two layers with a ReLU or LeakyReLU, and pools, between them, since
/// r(y − c) = r(y) − c for y ≥ c ≥ 0; values below c answer slightly differently. Both layers need a bias, and a second
/// one that pads would meet 0 where −c belongs: such pairs are left. `samples` of train give the moments.
Absorbed absorb_biases(ir::Model& model, const std::vector<Layer>& layers, std::int64_t samples,
                       const StepContext& context);

}  // namespace pare::compress
