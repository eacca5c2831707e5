// What follows a product of float32 sums, in the families that do it while the sums are in registers.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/kernel.h"

namespace pare::kernels {

/// y = clamp(activation(sum + bias) + residual, lo, hi)
struct FloatEpilogue {
  UnaryOp activation = UnaryOp::kIdentity;  ///< one that is_fused()
  DType residual_type = DType::kUndefined;  ///< kUndefined (none), kFloat32 or kBFloat16
  const void* residual = nullptr;           ///< laid out as the output; may be it where the types are the same
  float lo = -kInfinity, hi = kInfinity;    ///< NaN stays
  DType output_type = DType::kFloat32;      ///< or kBFloat16, rounded to even
};

/// An activation that epilogues have: kIdentity, kRelu, kHardSwish, kSilu, kSigmoid, kGelu and kGeluTanh.
bool is_fused(UnaryOp op) noexcept;

}  // namespace pare::kernels
