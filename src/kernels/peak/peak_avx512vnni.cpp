// Four 8-bit products a lane; sums wrap, which costs nothing.
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx512vnni {

void peak_rounds(std::int64_t rounds) noexcept {
  __m512i sums[12];
#pragma GCC unroll 12
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m512i& sum : sums) {
      sum = _mm512_dpbusd_epi32(sum, a, b);
      asm volatile("" : "+v"(sum));  // the compiler may not merge rounds
    }
  }
}

}  // namespace pare::kernels::avx512vnni
