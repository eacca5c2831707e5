// Codes of 16 outputs are masked out of a word and multiplied with four broadcast inputs at once. False alarms in the
// header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/qbits/panel.h"

namespace pare::kernels::avx512vnni {
namespace {

constexpr std::int64_t kAhead = 48;  ///< words to fetch early

template <int kBits, int kRows>
void multiply(const QBitsPanel& p) {
  constexpr int kFields = 8 / kBits, kSums = kRows < 3 ? 4 / kRows : 1;  // few rows take several sums: additions overlap
  const __m512i mask = _mm512_set1_epi8((1 << kBits) - 1);
  __m512i acc[kRows][kSums];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kSums; ++i) acc[r][i] = _mm512_setzero_si512();
  const std::uint8_t* x = p.x;
  const std::uint32_t* codes = p.codes;
  for (std::int64_t w = 0; w < p.words; ++w, codes += kQBitsOutputs) {
    _mm_prefetch(reinterpret_cast<const char*>(codes + kAhead * kQBitsOutputs), _MM_HINT_T0);
    const __m512i word = _mm512_loadu_si512(codes);
#pragma GCC unroll 8
    for (int f = 0; f < kFields; ++f, x += 4) {
      const __m512i code = _mm512_and_si512(f == 0 ? word : _mm512_srli_epi32(word, kBits * f), mask);
      for (int r = 0; r < kRows; ++r) {
        const __m512i four = _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(x + r * p.stride));
        acc[r][f % kSums] = _mm512_dpbusd_epi32(acc[r][f % kSums], four, code);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int i = 1; i < kSums; ++i) acc[r][0] = _mm512_add_epi32(acc[r][0], acc[r][i]);
    _mm512_storeu_si512(p.sums + r * kQBitsOutputs, acc[r][0]);
  }
}

template <int kBits>
void by_rows(const QBitsPanel& p) {
  static constexpr void (*kByRows[])(const QBitsPanel&) = {multiply<kBits, 1>, multiply<kBits, 2>, multiply<kBits, 3>,
                                                           multiply<kBits, 4>};
  kByRows[p.rows - 1](p);
}

}  // namespace

void qbits_multiply(const QBitsPanel& p) noexcept {
  if (p.bits == 1) return by_rows<1>(p);
  p.bits == 2 ? by_rows<2>(p) : by_rows<4>(p);
}

}  // namespace pare::kernels::avx512vnni
