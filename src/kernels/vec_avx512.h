// 16 lanes of f32, as the algorithms that are templates over a vector type take them. Files of this instruction set
// alone include it; the anonymous namespace keeps what is made of it in each.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx512 {
namespace {

struct F32 {
  using Type = __m512;
  static constexpr int kLanes = 16;
  static constexpr __mmask16 kAll = 0xffff;

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
  // By masks of all lanes, since GCC 12 takes what the plain forms leave undefined for a read of it.
  static Type max(Type a, Type b) { return _mm512_maskz_max_ps(kAll, a, b); }
  static Type min(Type a, Type b) { return _mm512_maskz_min_ps(kAll, a, b); }
  static float sum(Type x) { return _mm512_reduce_add_ps(x); }
  static float largest(Type x) { return _mm512_reduce_max_ps(x); }
};

}  // namespace
}  // namespace pare::kernels::avx512
