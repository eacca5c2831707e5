// 8 lanes of f32, as the algorithms that are templates over a vector type take them. Files of this instruction set
// alone include it; the anonymous namespace keeps what is made of it in each.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx2 {
namespace {

struct F32 {
  using Type = __m256;
  static constexpr int kLanes = 8;

  static __m256i first(std::int64_t n) {
    const int count = n >= kLanes ? kLanes : static_cast<int>(n);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Type zero() { return _mm256_setzero_ps(); }
  static Type set(float x) { return _mm256_set1_ps(x); }
  static Type load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Type x) { _mm256_storeu_ps(p, x); }
  static Type load_some(const float* p, std::int64_t n, float rest) {
    if (n >= kLanes) return load(p);
    const __m256i mask = first(n);
    return _mm256_blendv_ps(set(rest), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
  }
  static void store_some(float* p, std::int64_t n, Type x) { _mm256_maskstore_ps(p, first(n), x); }
  static Type fma(Type a, Type b, Type c) { return _mm256_fmadd_ps(a, b, c); }
  static Type fnma(Type a, Type b, Type c) { return _mm256_fnmadd_ps(a, b, c); }
  static Type add(Type a, Type b) { return _mm256_add_ps(a, b); }
  static Type sub(Type a, Type b) { return _mm256_sub_ps(a, b); }
  static Type mul(Type a, Type b) { return _mm256_mul_ps(a, b); }
  static Type div(Type a, Type b) { return _mm256_div_ps(a, b); }
  static Type max(Type a, Type b) { return _mm256_max_ps(a, b); }
  static Type min(Type a, Type b) { return _mm256_min_ps(a, b); }
  static float sum(Type x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static float largest(Type x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }

  /// 2^n · e^r with x = n·ln2 + r, e^r by its Taylor series to r^7 as in kernels/math.h; for x ≤ 0, and 0 below −87.3.
  /// NaN stays.
  static Type exp_negative(Type x) {
    const Type smallest = set(-87.3f);
    const Type some = _mm256_cmp_ps(x, smallest, _CMP_NLT_UQ);
    const Type inside = _mm256_max_ps(smallest, x);  // NaN is the second operand, which max returns
    const Type n = _mm256_round_ps(mul(inside, set(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT);
    Type r = _mm256_fnmadd_ps(n, set(0.693145751953125f), inside);
    r = _mm256_fnmadd_ps(n, set(1.42860682030941723e-6f), r);
    Type q = set(1.0f / 5040);
    static constexpr float kTerms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
#pragma GCC unroll 7
    for (float term : kTerms) q = fma(q, r, set(term));
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    const Type y = mul(q, _mm256_castsi256_ps(power));  // NaN times whatever its power came out as
    return _mm256_and_ps(y, some);
  }
};

}  // namespace
}  // namespace pare::kernels::avx2
