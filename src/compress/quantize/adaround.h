// AdaRound (Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization, 2020): learns for every weight of
// a layer whether it is rounded up or down.
#pragma once

#include <functional>

#include "compress/quantize/layer_error.h"

namespace pare::compress {

struct AdaRoundOptions {
  int iterations = 1000;       ///< of Adam; each takes the exact gradient over all samples, so few are needed
  double learning_rate = 0.03;
  double pressure = 4;         ///< λ of the regularizer: 2 to 32 give the same within 3 %
  double warm_up = 0.2;        ///< share of the iterations without the regularizer
  double first_beta = 20, last_beta = 2;
};

/// Minimizes over V, with Adam, the layer's output error and a regularizer that draws every h to 0 or 1 (equations 21 to
/// 25):
///   tr((Ŵ − W) H (Ŵ − W)ᵀ) + λ Σ (1 − |2 h(V) − 1|^β),   Ŵ = s·(clip(⌊W/s⌋ + z + h(V)) − z),
///   h(V) = clip(σ(V)(ζ − γ) + γ, 0, 1), ζ = 1.1, γ = −0.1, from h(V) = W/s − ⌊W/s⌋ on,
/// with β falling from 20 to 2. The error of an output counts in units of what rounding it to the nearest makes of it, a
/// weight's share of it, so that λ means the same for all layers. The error is the layer's own: an activation behind it
/// is not looked through. Each output keeps the nearest where that is no worse. Weights that are exactly 0 stay it.
/// `tick` is called at every iteration (cancellation).
std::vector<std::int32_t> adaround(const RoundedLayer& layer, const AdaRoundOptions& options,
                                   const std::function<void()>& tick = {});

}  // namespace pare::compress
