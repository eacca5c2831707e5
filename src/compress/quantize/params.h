// Scales and zero points from ranges and weights. Scales are positive normal floats, always.
#pragma once

#include "compress/quantize/calibrator.h"
#include "ir/sparsity.h"
#include "passes/qdq.h"

namespace pare::compress {

/// uint8: scale = (high − low)/255, zero_point = round(−low/scale), with the range widened to include 0 so that padding
/// and zeros are exact. A range of nothing but 0 gets scale 1.
passes::QuantParams affine_params(Range range);
/// int8 around 0: scale = max(|low|, |high|)/127, zero_point 0.
passes::QuantParams symmetric_params(Range range);

/// int8 weights, −127 … 127 with scale = max|w|/127 for the tensor or for each output channel (`output_axis`). A
/// channel of zeros takes the largest scale of the tensor, so that its bias keeps a sensible step.
passes::QuantParams weight_params(const Tensor& weight, const ir::WeightView& view, int output_axis, bool per_channel);

/// Raises scales until bias/(input_scale · scale) fits into int32 with room for the accumulation (2³⁰), as a channel of
/// tiny weights with an ordinary bias needs. Returns the number of channels raised.
int raise_for_bias(passes::QuantParams& weight, float input_scale, std::span<const float> bias);

}  // namespace pare::compress
