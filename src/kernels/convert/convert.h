// Element type conversions (ONNX Cast) between float32, float16, bfloat16, int64, int32, int8, uint8 and bool.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// All pairs of these but wide integers to 16-bit floats, which would round twice.
bool can_convert(DType from, DType to) noexcept;
/// Floats truncate toward zero, are clamped to int64 and then wrap; NaN becomes 0; bool is x ≠ 0;
/// to 16-bit floats rounds half to even, NaN becomes the quiet NaN. Requires
/// can_convert().
void convert(DType from, DType to, std::int64_t count, const void* in, void* out) noexcept;

}  // namespace pare::kernels
