// Layer-wise distillation of scales, without labels: each scale becomes the one by which the layer's integers answer most
// like its float weights.
#pragma once

#include "compress/quantize/layer_error.h"

namespace pare::compress {

/// For integers q that stay, an output's squared error (ŵ − w)ᵀ H (ŵ − w) is a quadratic form in its scales s (one, or one a
/// group of inputs), ŵ = Σ_k s_k u_k with u_k = (q − z) on the inputs of scale k and 0 elsewhere, so its minimum solves
///   Σ_l (u_kᵀ H u_l) s_l = u_kᵀ H w,
/// the exact form of what Nagel et al. (A White Paper on Neural Network Quantization, 2021, section 3.1) search on a
/// grid and LSQ (Esser et al. 2020) learn by gradients. A scale for the whole tensor is fitted over all outputs. Scales of
/// an output stay as they were where one of the new would not be positive; a group of zeros keeps its scale. Outputs'
/// errors never grow. Returns `layer.params` with the new scales.
passes::QuantParams fit_scales(const RoundedLayer& layer, std::span<const std::int32_t> integers);

}  // namespace pare::compress
