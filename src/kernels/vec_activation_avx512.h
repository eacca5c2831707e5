// Activations of 16 lanes: the functions of kernels/math.h and elementwise.h. Files of this instruction set alone
// include it; the anonymous namespace keeps what is made of it in each.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/vec_avx512.h"

namespace pare::kernels::avx512 {
namespace {

inline __m512 relu(__m512 x) { return _mm512_max_ps(_mm512_setzero_ps(), x); }  // NaN stays: it is the second operand

/// x · max(0, min(1, x / 6 + 1/2))
inline __m512 hard_swish(__m512 x) {
  const __m512 part = F32::fma(x, F32::set(1.0f / 6.0f), F32::set(0.5f));
  return F32::mul(x, F32::min(F32::set(1.0f), F32::max(F32::zero(), part)));
}

inline __m512 magnitude(__m512 x) { return _mm512_abs_ps(x); }

/// 1 / (1 + e^−x), by the power that is not above 1.
inline __m512 sigmoid(__m512 x) {
  const __m512 e = F32::exp_negative(F32::sub(F32::zero(), magnitude(x)));
  const __mmask16 negative = _mm512_cmp_ps_mask(x, F32::zero(), _CMP_LT_OQ);
  return _mm512_div_ps(_mm512_mask_mov_ps(F32::set(1.0f), negative, e), F32::add(F32::set(1.0f), e));
}

inline __m512 silu(__m512 x) { return F32::mul(x, sigmoid(x)); }

template <std::size_t kCount>
__m512 polynomial(__m512 x, const float (&terms)[kCount]) {
  __m512 p = F32::set(terms[0]);
#pragma GCC unroll 9
  for (std::size_t i = 1; i < kCount; ++i) p = F32::fma(p, x, F32::set(terms[i]));
  return p;
}

/// As vector_erf() of kernels/math.h.
inline __m512 erf(__m512 x) {
  const __m512 a = magnitude(x), s = F32::mul(x, x), t = F32::min(F32::set(4.0f), a);
  static constexpr float kNear[] = {7.88249704e-05f, -0.000801885497f, 0.00518931194f, -0.0268543288f,
                                    0.112835975f,    -0.376126269f,    1.12837917f};
  static constexpr float kFar[] = {-0.000187375253f, 0.00295714008f, -0.0218748826f, 0.103181455f,
                                   0.638061247f,     1.12713814f,    0.000329790685f};
  const __m512 far = F32::sub(F32::set(1.0f), F32::exp_negative(F32::sub(F32::zero(), polynomial(t, kFar))));
  const __m512 sign = _mm512_and_ps(x, F32::set(-0.0f));
  const __mmask16 near = _mm512_cmp_ps_mask(a, F32::set(1.0f), _CMP_LT_OQ);
  return _mm512_mask_mul_ps(_mm512_or_ps(far, sign), near, x, polynomial(s, kNear));
}

/// x / 2 · (1 + erf(x / √2))
inline __m512 gelu(__m512 x) {
  const __m512 half = F32::mul(F32::set(0.5f), x);
  return F32::fma(half, erf(F32::mul(x, F32::set(0.70710678f))), half);
}

/// The same within 5e-5, a tenth of what rounding 1 to bfloat16 costs, with half of the operations: erf by one polynomial
/// (least squares, reweighted to be even), and 1 beyond 3.
inline __m512 gelu_rough(__m512 x) {
  static constexpr float kTerms[] = {4.074209414e-08f,  -1.944822088e-06f, 4.106051347e-05f,
                                     -0.000511036778f,  0.004235426895f,   -0.02510285936f,
                                     0.1110793352f,     -0.3753148615f,    1.12826848f};
  const __m512 z = F32::mul(x, F32::set(0.70710678f)), half = F32::mul(F32::set(0.5f), x);
  const __mmask16 far = _mm512_cmp_ps_mask(magnitude(z), F32::set(3.0f), _CMP_GE_OQ);
  const __m512 one = _mm512_or_ps(_mm512_and_ps(x, F32::set(-0.0f)), F32::set(1.0f));
  return F32::fma(half, _mm512_mask_mov_ps(F32::mul(z, polynomial(F32::mul(z, z), kTerms)), far, one), half);
}

/// One that is_fused() (kernels/float_epilogue.h); `kRough`: for results that are rounded to bfloat16.
template <bool kRough = false>
__m512 activate(UnaryOp op, __m512 x) {
  switch (op) {
    case UnaryOp::kRelu: return relu(x);
    case UnaryOp::kHardSwish: return hard_swish(x);
    case UnaryOp::kSilu: return silu(x);
    case UnaryOp::kSigmoid: return sigmoid(x);
    case UnaryOp::kGelu: return kRough ? gelu_rough(x) : gelu(x);
    default: return x;
  }
}

}  // namespace
}  // namespace pare::kernels::avx512
