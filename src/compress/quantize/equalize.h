// Cross-layer equalization (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, 2019,
// section 4.1): two layers with nothing but a positively homogeneous function between them may trade scale channel by
// channel; equal ranges of both lose least to rounding.
#pragma once

#include <string>
#include <vector>

#include "compress/quantize/rescale.h"

namespace pare::compress {

/// W₁ ← W₁/s, b₁ ← b₁/s, W₂ ← W₂·s with s_i = √(r₁r₂)/r₂ of the ranges r of channel i, pair after pair until the ranges
/// are equal (equation 11). Channels of zeros stay. What the model computes stays the same. Returns the pairs,
/// "first → second".
std::vector<std::string> equalize(ir::Model& model, const std::vector<Layer>& layers);

}  // namespace pare::compress
