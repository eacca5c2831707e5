// The activations of kernels/float_epilogue.h on 16 lanes. Files of this instruction set alone include it; the anonymous
// namespace keeps what is made of it in each.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/vec_activation.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
namespace {

/// GELU within 5e-5, a tenth of what rounding 1 to bfloat16 costs, with fewer operations: erf by one polynomial
/// (least squares, reweighted to be even), and 1 beyond 3.
inline __m512 gelu_rough(__m512 x) {
  static constexpr float kTerms[] = {4.074209414e-08f,  -1.944822088e-06f, 4.106051347e-05f,
                                     -0.000511036778f,  0.004235426895f,   -0.02510285936f,
                                     0.1110793352f,     -0.3753148615f,    1.12826848f};
  const __m512 z = F32::mul(x, F32::set(0.70710678f)), half = F32::mul(F32::set(0.5f), x);
  const __m512 squared = F32::mul(z, z);
  __m512 p = F32::set(kTerms[0]);
#pragma GCC unroll 8
  for (int i = 1; i < 9; ++i) p = F32::fma(p, squared, F32::set(kTerms[i]));
  const __mmask16 far = _mm512_cmp_ps_mask(_mm512_abs_ps(z), F32::set(3.0f), _CMP_GE_OQ);
  const __m512 one = _mm512_or_ps(_mm512_and_ps(x, F32::set(-0.0f)), F32::set(1.0f));
  return F32::fma(half, _mm512_mask_mov_ps(F32::mul(z, p), far, one), half);
}

/// One that is_fused() (kernels/float_epilogue.h); `kRough`: for results that are rounded to bfloat16.
template <bool kRough = false>
__m512 activate(UnaryOp op, __m512 x) {
  switch (op) {
    case UnaryOp::kRelu: return _mm512_max_ps(_mm512_setzero_ps(), x);  // NaN stays: it is the second operand
    case UnaryOp::kHardSwish: return HardSwish<F32>()(x);
    case UnaryOp::kSilu: return Silu<F32>()(x);
    case UnaryOp::kSigmoid: return Sigmoid<F32>()(x);
    case UnaryOp::kGelu: return kRough ? gelu_rough(x) : Gelu<F32>()(x);
    default: return x;
  }
}

}  // namespace
}  // namespace pare::kernels::avx512
