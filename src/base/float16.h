// IEEE binary16 and bfloat16 to and from float: round to nearest even, NaN stays NaN.
#pragma once

#include <cstdint>

#include "pare/tensor.h"

namespace pare {

float half_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_half(float value) noexcept;
float bfloat16_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_bfloat16(float value) noexcept;

/// Element-wise conversion between numeric types with ONNX Cast semantics: integers wrap, float to integer truncates,
/// the 8-bit float types saturate unless `saturate` is false (their overflow is then NaN or infinity), 4-bit float
/// saturates, float8e8m0 rounds up. What ONNX leaves undefined (float to integer out of range) is clamped to int64 and
/// then wraps; NaN becomes 0. Throws Error(kUnsupported) for strings and complex numbers.
Tensor cast(const Tensor& tensor, DType to, bool saturate = true);
/// One element as double whatever the numeric type (sub-byte types too).
double element_as_double(const Tensor& tensor, std::int64_t index);

}  // namespace pare
