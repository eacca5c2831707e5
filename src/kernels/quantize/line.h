// What a kernel that quantizes sees. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// Scales for which an exact division may go by products: quotients that matter and their remainders are normal.
inline constexpr float kLeastScale = 0x1p-100f, kLargestScale = 0x1p100f;

/// f32 → 8 bits with one set of parameters, as kernels/quantize/quantize.h defines it.
struct QuantizeLine {
  const float* in;
  std::int64_t count;
  float scale;  ///< kLeastScale … kLargestScale
  std::int32_t zero_point;
  bool output_signed;
  std::uint8_t* out;
};

}  // namespace pare::kernels
