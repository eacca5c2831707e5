// f32 convolution and matrix product in plain loops: the reference, and what runs where oneDNN refuses.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// out = clamp(conv + bias + residual, lo, hi)
struct ConvEpilogue {
  const float* residual = nullptr;  ///< [pixels, out_c] or nullptr; may be the output buffer
  float lo = -kInfinity, hi = kInfinity;
};

/// in [batch, in_h, in_w, in_c], out [batch, out_h, out_w, out_c]; bias [out_c] or nullptr; f64 accumulation.
void conv(const ConvShape& shape, const float* filter, const FilterStrides& strides, const float* bias,
          const ConvEpilogue& epilogue, const float* in, float* out) noexcept;

/// Element (r, c) of a matrix lies at data[r·row + c·column].
struct MatrixView {
  const float* data = nullptr;
  std::int64_t row = 0, column = 0;
};
/// out [m, n] dense = alpha · a[m, k] · b[k, n] + beta · c (c broadcast by zero strides; c.data nullptr: absent).
void matmul(std::int64_t m, std::int64_t n, std::int64_t k, const MatrixView& a, const MatrixView& b, float alpha,
            const MatrixView& c, float beta, float* out) noexcept;

}  // namespace pare::kernels
