// Activations that float32 products apply to their outputs themselves. No inline code, since files of different
// instruction sets include it.
#pragma once

namespace pare::kernels {

/// As kernels::unary computes them, within 2e-6 relative, 1e-7 of |x| where GELU is near zero.
enum class FusedActivation { kNone, kHardSwish, kSigmoid, kSilu, kGelu, kGeluTanh };

}  // namespace pare::kernels
