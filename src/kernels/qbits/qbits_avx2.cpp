// Products of bytes are added in pairs to 16 bits, which cannot overflow: 2 · 255 · 15 < 2^15.
#include <immintrin.h>

#include "kernels/qbits/panel.h"

namespace pare::kernels::avx2 {
namespace {

template <int kBits>
void half_panel(const QBitsPanel& p, int row, int first) {
  const __m256i mask = _mm256_set1_epi8((1 << kBits) - 1), ones = _mm256_set1_epi16(1);
  const std::uint8_t* x = p.x + row * p.stride;
  const std::uint32_t* codes = p.codes + first;
  __m256i sum = _mm256_setzero_si256();
  for (std::int64_t w = 0; w < p.words; ++w, codes += kQBitsOutputs) {
    const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    for (int f = 0; f < 8 / kBits; ++f, x += 4) {
      const __m256i code = _mm256_and_si256(_mm256_srl_epi32(word, _mm_cvtsi32_si128(kBits * f)), mask);
      const __m256i four = _mm256_set1_epi32(*reinterpret_cast<const std::int32_t*>(x));
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(four, code), ones));
    }
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p.sums + row * kQBitsOutputs + first), sum);
}

template <int kBits>
void multiply(const QBitsPanel& p) {
  for (int row = 0; row < p.rows; ++row)
    for (int first = 0; first < kQBitsOutputs; first += 8) half_panel<kBits>(p, row, first);
}

}  // namespace

void qbits_multiply(const QBitsPanel& p) noexcept {
  if (p.bits == 1) return multiply<1>(p);
  p.bits == 2 ? multiply<2>(p) : multiply<4>(p);
}

}  // namespace pare::kernels::avx2
