// Twelve chains of additions cover the latency of two units.
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx2 {

void peak_rounds(std::int64_t rounds) noexcept {
  __m256 sums[12];
#pragma GCC unroll 12
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  const __m256 a = _mm256_set1_ps(1.0f), b = _mm256_set1_ps(0.5f);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256& sum : sums) {
      sum = _mm256_fmadd_ps(a, b, sum);
      asm volatile("" : "+v"(sum));  // the compiler may not merge rounds
    }
  }
}

}  // namespace pare::kernels::avx2
