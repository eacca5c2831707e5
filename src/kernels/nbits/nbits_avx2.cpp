// Sixteen outputs in two registers. vpermps reads the low three bits of an index; the fourth chooses between two
// lookups.
#include <immintrin.h>

#include "kernels/nbits/strip.h"

namespace pare::kernels::avx2 {

namespace {

struct Table16 {
  __m256 low, high;
};

inline __m256 numbers(const NBitsPanel& p, const Table16& table, __m256i shifted) noexcept {
  if (p.code == NBitsCode::kSigned8) return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(shifted, 24), 24));
  if (p.code == NBitsCode::kTable256)
    return _mm256_i32gather_ps(p.table, _mm256_and_si256(shifted, _mm256_set1_epi32(255)), 4);
  const __m256 fourth = _mm256_castsi256_ps(_mm256_slli_epi32(shifted, 28));  // its sign chooses
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.low, shifted), _mm256_permutevar8x32_ps(table.high, shifted),
                          fourth);
}

void one_row(const NBitsNarrow& c, int row) noexcept {
  const NBitsPanel& p = c.panel;
  const Table16 table{_mm256_loadu_ps(p.table), _mm256_loadu_ps(p.table + 8)};
  const int per_word = 32 / p.bits;
  const float* a = c.a + row * c.a_stride;
  const std::uint32_t* words = p.words;
  __m256 total[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::int64_t block = 0; block < p.blocks; ++block) {
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (std::int64_t w = 0; w < p.words_per_block; ++w, words += 16, a += per_word) {
      const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)),
                    high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 8));
      for (int k = 0; k < per_word; ++k) {
        const __m128i shift = _mm_cvtsi32_si128(8 * (k % 4) + p.bits * (k / 4));
        const __m256 x = _mm256_set1_ps(a[k]);
        sum[0] = _mm256_fmadd_ps(numbers(p, table, _mm256_srl_epi32(low, shift)), x, sum[0]);
        sum[1] = _mm256_fmadd_ps(numbers(p, table, _mm256_srl_epi32(high, shift)), x, sum[1]);
      }
    }
    for (int i = 0; i < 2; ++i) {
      total[i] = _mm256_fmadd_ps(sum[i], _mm256_loadu_ps(p.scale + 16 * block + 8 * i), total[i]);
      if (p.offset)
        total[i] = _mm256_fmadd_ps(_mm256_loadu_ps(p.offset + 16 * block + 8 * i),
                                   _mm256_set1_ps(c.a_sum[row * p.blocks + block]), total[i]);
    }
  }
  alignas(32) float out[16];
  _mm256_store_ps(out, total[0]);
  _mm256_store_ps(out + 8, total[1]);
  for (int i = 0; i < c.outputs; ++i) c.y[row * c.y_stride + i] = out[i] + (c.bias ? c.bias[i] : 0.0f);
}

}  // namespace

void nbits_narrow(const NBitsNarrow& c) noexcept {
  for (int row = 0; row < c.rows; ++row) one_row(c, row);
}

}  // namespace pare::kernels::avx2
