// ConvTranspose, f32, channels-last. Every output pixel gathers the inputs whose kernels reach it, so that pixels are
// independent and nothing is added twice.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct DeconvShape {
  std::int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1;
  std::int64_t kh = 1, kw = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;

  std::int64_t group_in() const noexcept { return in_c / groups; }
  std::int64_t group_out() const noexcept { return out_c / groups; }
};

/// Floats that the packed weights take.
std::int64_t deconv_packed_size(const DeconvShape& shape) noexcept;
/// weights: ONNX [in_c, out_c / groups, kh, kw].
void deconv_pack(const DeconvShape& shape, const float* weights, float* packed) noexcept;
/// in [batch, in_h, in_w, in_c], out [batch, out_h, out_w, out_c]; bias [out_c] or nullptr.
void deconv(const DeconvShape& shape, const float* packed, const float* bias, const float* in, float* out) noexcept;

}  // namespace pare::kernels
