// The activations that products apply, one element at a time: the definition, for references.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/fused_activation.h"

namespace pare::kernels {

inline float activate_one(FusedActivation activation, float x) noexcept {
  switch (activation) {
    case FusedActivation::kNone:
      return x;
    case FusedActivation::kHardSwish:
      return unary_one(UnaryOp::kHardSwish, {}, x);
    case FusedActivation::kSigmoid:
      return unary_one(UnaryOp::kSigmoid, {}, x);
    case FusedActivation::kSilu:
      return unary_one(UnaryOp::kSilu, {}, x);
    case FusedActivation::kGelu:
      return unary_one(UnaryOp::kGelu, {}, x);
    case FusedActivation::kGeluTanh:
      return unary_one(UnaryOp::kGeluTanh, {}, x);
  }
  __builtin_unreachable();
}

}  // namespace pare::kernels
