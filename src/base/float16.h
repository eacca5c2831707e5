// IEEE binary16 and bfloat16 to and from float: round to nearest even, NaN stays NaN.
#pragma once

#include <cstdint>

#include "pare/tensor.h"

namespace pare {

float half_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_half(float value) noexcept;
float bfloat16_to_float(std::uint16_t bits) noexcept;
std::uint16_t float_to_bfloat16(float value) noexcept;

/// Element-wise conversion between numeric types with ONNX Cast semantics (saturating only where ONNX says so).
Tensor cast(const Tensor& tensor, DType to);
/// One element as double whatever the numeric type (sub-byte types too).
double element_as_double(const Tensor& tensor, std::int64_t index);

}  // namespace pare
