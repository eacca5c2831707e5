// Element type conversions (ONNX Cast) between float32, int64, int32, int8, uint8 and bool.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

bool can_convert(DType from, DType to) noexcept;
/// Floats truncate toward zero, are clamped to int64 and then wrap; NaN becomes 0; bool is x ≠ 0. Requires
/// can_convert().
void convert(DType from, DType to, std::int64_t count, const void* in, void* out) noexcept;

}  // namespace pare::kernels
