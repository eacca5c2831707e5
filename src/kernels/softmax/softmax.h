// Softmax and LogSoftmax, f32, over the middle axis of [outer, axis, inner] (opset ≥ 13; older ones reshape to inner =
// 1).
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// in == out allowed. The maximum is subtracted first; sums are f32; a row of −inf gives NaN as in ONNX.
void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in, float* out) noexcept;
void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* in, float* out) noexcept;

}  // namespace pare::kernels
