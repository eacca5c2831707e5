// QuantizeLinear, DequantizeLinear and the change of quantization parameters, exactly as ONNX defines them:
//   quantize    q = saturate(rint(x / scale) + zero_point)   f32 division, half to even; NaN gives saturate(zero_point)
//   dequantize  x = float(q − zero_point) · scale
//   requantize  quantize(dequantize(q))
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// Parameters per tensor (axis == 1, one scale) or per axis; the tensor is seen as [outer, axis, inner]. `zero_point`
/// may be nullptr for 0 (per element of `scale` otherwise).
struct QuantLayout {
  std::int64_t outer = 1, axis = 1, inner = 1;
  const float* scale = nullptr;              ///< [axis]
  const std::int32_t* zero_point = nullptr;  ///< [axis] or nullptr
};

/// f32 → kUint8, kInt8, kUint16 or kInt16.
void quantize(const QuantLayout& layout, const float* in, DType out_type, void* out) noexcept;
/// kUint8, kInt8, kUint16, kInt16 or kInt32 → f32.
void dequantize(const QuantLayout& layout, DType in_type, const void* in, float* out) noexcept;
/// 8 bits to 8 bits, per tensor; in and out may be the same buffer.
void requantize(std::int64_t count, const QuantParams& from, const void* in, const QuantParams& to, void* out) noexcept;

/// quantize() of one stretch with one set of parameters on the calling thread; a building block of other families.
void quantize_span(const float* in, std::int64_t count, const QuantParams& to, void* out) noexcept;

/// One element, the definition.
std::int32_t quantize_one(float x, float scale, std::int32_t zero_point, DType type) noexcept;

}  // namespace pare::kernels
