// f32 depthwise convolution (groups == in_c == out_c), NHWC, with bias, residual and clamp.
#pragma once

#include <vector>

#include "kernels/conv/conv.h"

namespace pare::kernels {

/// Weights as [kh·kw, channels], which depthwise() reads. filter element (o, 0, y, x). Throws
/// Error(kUsage) for an unusable PARE_FORCE_ISA.
std::vector<float> pack_depthwise(const ConvShape& shape, const float* filter, const FilterStrides& strides);

/// packed: from pack_depthwise; bias [channels] or nullptr. Within 1e-5 of conv() relative to Σ|x·w|.
void depthwise(const ConvShape& shape, const float* packed, const float* bias, const ConvEpilogue& epilogue,
               const float* in, float* out) noexcept;

}  // namespace pare::kernels
