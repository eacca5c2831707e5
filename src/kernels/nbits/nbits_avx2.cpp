// Sixteen outputs in two registers, or 16 numbers of one output. vpermps reads the low three bits of an index; the fourth chooses between two
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
  const __m256 fourth = _mm256_castsi256_ps(_mm256_slli_epi32(shifted, 28));  // its sign chooses
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(table.low, shifted), _mm256_permutevar8x32_ps(table.high, shifted),
                          fourth);
}

__m256i load(const std::uint32_t* words) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)); }

/// Field f of three words of 3-bit codes: the codes in the low bits of their bytes.
__m256i three_bits(const std::uint32_t* words, int field) {
  const __m256i low = _mm256_srl_epi32(load(words + 16 * (field / 4)), _mm_cvtsi32_si128(2 * (field % 4)));
  const __m256i high = _mm256_slli_epi32(_mm256_srl_epi32(load(words + 32), _mm_cvtsi32_si128(field)), 2);
  return _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(3)), _mm256_and_si256(high, _mm256_set1_epi8(4)));
}

/// Adds what one piece of words gives for 8 outputs.
__m256 add_piece(const NBitsPanel& p, const Table16& table, const std::uint32_t* words, const float* a, __m256 sum) {
  const int fields = p.bits == 3 ? 8 : 8 / p.bits;
  for (int f = 0; f < fields; ++f) {
    const __m256i field = p.bits == 3 ? three_bits(words, f) : _mm256_srl_epi32(load(words), _mm_cvtsi32_si128(p.bits * f));
    for (int byte = 0; byte < 4; ++byte)
      sum = _mm256_fmadd_ps(numbers(p, table, _mm256_srl_epi32(field, _mm_cvtsi32_si128(8 * byte))),
                            _mm256_set1_ps(a[4 * f + byte]), sum);
  }
  return sum;
}

float sum_of(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/// One output of a matrix by rows, of tables of 16.
float row_of_nibbles(const NBitsPanel& p, const float* a, int output) {
  const float* numbers16 = p.table + output * p.table_stride;
  const Table16 table{_mm256_loadu_ps(numbers16), _mm256_loadu_ps(numbers16 + 8)};
  const std::uint32_t* words = p.words + output * p.words_per_block;
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::int64_t k = 0; k < p.depth; k += 128, words += 16)
    for (int half = 0; half < 2; ++half) {
      const __m256i codes = load(words + 8 * half);
      for (int j = 0; j < 8; ++j)
        sum[half] = _mm256_fmadd_ps(numbers(p, table, _mm256_srl_epi32(codes, _mm_cvtsi32_si128(4 * j))),
                                    _mm256_loadu_ps(a + k + 16 * j + 8 * half), sum[half]);
    }
  return sum_of(_mm256_add_ps(sum[0], sum[1]));
}

/// Likewise of tables of 256.
float row_of_bytes(const NBitsPanel& p, const float* a, int output) {
  const float* table = p.table + output * p.table_stride;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(p.words + output * p.words_per_block);
  __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::int64_t k = 0; k < p.depth; k += 16)
    for (int half = 0; half < 2; ++half) {
      const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes + k + 8 * half));
      sum[half] = _mm256_fmadd_ps(_mm256_i32gather_ps(table, _mm256_cvtepu8_epi32(codes), 4),
                                  _mm256_loadu_ps(a + k + 8 * half), sum[half]);
    }
  return sum_of(_mm256_add_ps(sum[0], sum[1]));
}

void one_row_by_rows(const NBitsNarrow& c, int row) noexcept {
  const float* a = c.a + row * c.a_stride;
  for (int i = 0; i < c.outputs; ++i) {
    const float sum = c.panel.code == NBitsCode::kRows16 ? row_of_nibbles(c.panel, a, i) : row_of_bytes(c.panel, a, i);
    c.y[row * c.y_stride + i] = sum * c.panel.scale[i] + (c.bias ? c.bias[i] : 0.0f);
  }
}

void one_row(const NBitsNarrow& c, int row) noexcept {
  const NBitsPanel& p = c.panel;
  const Table16 table = p.code == NBitsCode::kTable16 ? Table16{_mm256_loadu_ps(p.table), _mm256_loadu_ps(p.table + 8)}
                                                      : Table16{};
  const int piece = p.bits == 3 ? 3 : 1, codes = 32 * piece / p.bits;
  const float* a = c.a + row * c.a_stride;
  const std::uint32_t* words = p.words;
  __m256 total[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (std::int64_t block = 0; block < p.blocks; ++block) {
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (std::int64_t k = 0; k < p.depth; k += codes, words += 16 * piece, a += codes)
      for (int half = 0; half < 2; ++half) sum[half] = add_piece(p, table, words + 8 * half, a, sum[half]);
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
  const bool by_rows = c.panel.code == NBitsCode::kRows16 || c.panel.code == NBitsCode::kRows256;
  for (int row = 0; row < c.rows; ++row) by_rows ? one_row_by_rows(c, row) : one_row(c, row);
}

}  // namespace pare::kernels::avx2
