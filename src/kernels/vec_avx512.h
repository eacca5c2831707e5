// 16 lanes of f32, as the algorithms that are templates over a vector type take them. Files of this instruction set
// alone include it; the anonymous namespace keeps what is made of it in each.
#pragma once

// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx512 {
namespace {

struct F32 {
  using Type = __m512;
  static constexpr int kLanes = 16;

  static __mmask16 first(std::int64_t n) { return static_cast<__mmask16>(n >= kLanes ? 0xffff : (1u << n) - 1); }
  static Type zero() { return _mm512_setzero_ps(); }
  static Type set(float x) { return _mm512_set1_ps(x); }
  static Type load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Type x) { _mm512_storeu_ps(p, x); }
  static Type load_some(const float* p, std::int64_t n, float rest) {
    return _mm512_mask_loadu_ps(set(rest), first(n), p);
  }
  static void store_some(float* p, std::int64_t n, Type x) { _mm512_mask_storeu_ps(p, first(n), x); }
  static Type fma(Type a, Type b, Type c) { return _mm512_fmadd_ps(a, b, c); }
  static Type fnma(Type a, Type b, Type c) { return _mm512_fnmadd_ps(a, b, c); }
  static Type add(Type a, Type b) { return _mm512_add_ps(a, b); }
  static Type sub(Type a, Type b) { return _mm512_sub_ps(a, b); }
  static Type mul(Type a, Type b) { return _mm512_mul_ps(a, b); }
  static Type div(Type a, Type b) { return _mm512_div_ps(a, b); }
  static Type max(Type a, Type b) { return _mm512_max_ps(a, b); }
  static Type min(Type a, Type b) { return _mm512_min_ps(a, b); }
  static float sum(Type x) { return _mm512_reduce_add_ps(x); }
  static float largest(Type x) { return _mm512_reduce_max_ps(x); }

  /// 2^n · e^r with x = n·ln2 + r, e^r by its Taylor series to r^7 as in kernels/math.h; for x ≤ 0, and 0 below −87.3.
  /// NaN stays.
  static Type exp_negative(Type x) {
    const Type smallest = set(-87.3f);
    const __mmask16 none = _mm512_cmp_ps_mask(x, smallest, _CMP_LT_OQ);
    const Type inside = _mm512_max_ps(smallest, x);  // NaN is the second operand, which max returns
    const Type n = _mm512_roundscale_ps(mul(inside, set(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT);
    Type r = _mm512_fnmadd_ps(n, set(0.693145751953125f), inside);
    r = _mm512_fnmadd_ps(n, set(1.42860682030941723e-6f), r);
    Type q = set(1.0f / 5040);
    static constexpr float kTerms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
#pragma GCC unroll 7
    for (float term : kTerms) q = fma(q, r, set(term));
    return _mm512_mask_mov_ps(_mm512_scalef_ps(q, n), none, zero());
  }
};

}  // namespace
}  // namespace pare::kernels::avx512
