// Pooling over NHWC, f32, u8 and s8; the largest of bfloat16 too.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// Padding at the bottom and right follows from the output size (ceil_mode is the caller's), but average pooling with
/// count_include_pad counts only taps inside the padded extent, which pad_bottom and pad_right give.
struct PoolShape {
  std::int64_t batch = 1, in_h = 1, in_w = 1, channels = 1, out_h = 1, out_w = 1;
  std::int64_t kh = 1, kw = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  bool count_include_pad = false;
};

/// type: kFloat32, kBFloat16, kUint8 or kInt8, the same for both sides (8-bit max pooling keeps scale and zero point).
/// Padding never wins; a window wholly in the padding gives the type's lowest value. A NaN in a window gives NaN.
void max_pool(const PoolShape& shape, DType type, const void* in, void* out) noexcept;

/// f32; a window without a counted tap gives 0.
void average_pool(const PoolShape& shape, const float* in, float* out) noexcept;
/// 8 bits to 8 bits: v = float(Σ(x − in_zp)) · (in_scale / out_scale) / float(count); saturate(rint(v) + out_zp).
void average_pool(const PoolShape& shape, const QuantParams& from, const void* in, const QuantParams& to,
                  void* out) noexcept;

/// Mean over `pixels` of each channel: in [batch, pixels, channels] → out [batch, channels]. f32 is summed
/// in f64 from sums of eight.
void global_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const float* in,
                         float* out) noexcept;
/// Rounding as average_pool; pixels < 2^23. `to.type` may be kFloat32: v = float(Σ) · in_scale / float(pixels), no
/// rounding.
void global_average_pool(std::int64_t batch, std::int64_t pixels, std::int64_t channels, const QuantParams& from,
                         const void* in, const QuantParams& to, void* out) noexcept;

}  // namespace pare::kernels
