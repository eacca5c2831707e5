// AdaRound (Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization, 2020): learns for every weight of
// a layer whether it is rounded up or down.
#pragma once

#include <functional>

#include "compress/quantize/layer_error.h"
#include "compress/quantize/soft_rounding.h"

namespace pare::compress {

/// Minimizes over V, with Adam, the layer's output error and a regularizer that draws every h to 0 or 1 (equations 21 to
/// 25, soft_rounding.h):
///   tr((Ŵ − W) H (Ŵ − W)ᵀ) + λ Σ (1 − |2 h(V) − 1|^β),   Ŵ = s·(⌊W/s⌋ + h(V)) within the grid,
/// with β falling from 20 to 2. Each step takes the exact gradient over all samples, so few are needed. The error of an
/// output counts in units of what rounding it to the nearest makes of it, a weight's share of it, so that λ means the same
/// for all layers. The error is the layer's own: an activation behind it is not looked through. Each output keeps the
/// nearest where that is no worse. Weights that are exactly 0 stay it. `tick` is called at every iteration (cancellation).
std::vector<std::int32_t> adaround(const RoundedLayer& layer, const SoftRoundingOptions& options,
                                   const std::function<void()>& tick = {});

}  // namespace pare::compress
