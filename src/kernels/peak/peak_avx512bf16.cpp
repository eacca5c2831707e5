// Two products a lane.
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx512bf16 {

void peak_rounds(std::int64_t rounds) noexcept {
  __m512 sums[12];
#pragma GCC unroll 12
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0f), _mm512_set1_ps(0.5f)), b = a;
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m512& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, a, b);
      asm volatile("" : "+v"(sum));  // the compiler may not merge rounds
    }
  }
}

}  // namespace pare::kernels::avx512bf16
