// Sixteen outputs a register. vpermps reads only the low four bits of an index: a shifted word is looked up as it is,
// and the table gives the number, whatever it stands for.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in the header of gcc 12 (its bug 105593)
#include <immintrin.h>

#include "kernels/nbits/strip.h"

namespace pare::kernels::avx512 {

namespace {

/// Numbers of field f of byte i of 16 words.
template <NBitsCode kCode, int kShift>
inline __m512 numbers(__m512i words, __m512 table, const float* table256) noexcept {
  if constexpr (kCode == NBitsCode::kTable16)
    return _mm512_permutexvar_ps(kShift == 0 ? words : _mm512_srli_epi32(words, kShift), table);
  if constexpr (kCode == NBitsCode::kSigned8)
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(words, 24 - kShift), 24));
  const __m512i index = _mm512_and_epi32(_mm512_srli_epi32(words, kShift), _mm512_set1_epi32(255));
  return _mm512_i32gather_ps(index, table256, 4);
}

template <NBitsCode kCode, int kBits, int kRows, int kField, int kByte>
inline void multiply_field(const NBitsNarrow& c, __m512i words, __m512 table, const float* a,
                           __m512 (&sum)[kRows][4]) noexcept {
  const __m512 w = numbers<kCode, 8 * kByte + kBits * kField>(words, table, c.panel.table);
  for (int r = 0; r < kRows; ++r)
    sum[r][kByte] = _mm512_fmadd_ps(w, _mm512_set1_ps(a[r * c.a_stride + 4 * kField + kByte]), sum[r][kByte]);
}

template <NBitsCode kCode, int kBits, int kRows, int kField = 0>
inline void multiply_word(const NBitsNarrow& c, __m512i words, __m512 table, const float* a,
                          __m512 (&sum)[kRows][4]) noexcept {
  multiply_field<kCode, kBits, kRows, kField, 0>(c, words, table, a, sum);
  multiply_field<kCode, kBits, kRows, kField, 1>(c, words, table, a, sum);
  multiply_field<kCode, kBits, kRows, kField, 2>(c, words, table, a, sum);
  multiply_field<kCode, kBits, kRows, kField, 3>(c, words, table, a, sum);
  if constexpr ((kField + 1) * kBits < 8) multiply_word<kCode, kBits, kRows, kField + 1>(c, words, table, a, sum);
}

template <NBitsCode kCode, int kBits, int kRows>
void narrow(const NBitsNarrow& c) noexcept {
  const NBitsPanel& p = c.panel;
  const __m512 table = kCode == NBitsCode::kTable16 ? _mm512_loadu_ps(p.table) : _mm512_setzero_ps();
  __m512 total[kRows];
  for (int r = 0; r < kRows; ++r) total[r] = _mm512_setzero_ps();
  const std::uint32_t* words = p.words;
  const float* a = c.a;
  for (std::int64_t block = 0; block < p.blocks; ++block) {
    __m512 sum[kRows][4];
    for (int r = 0; r < kRows; ++r)
      for (int i = 0; i < 4; ++i) sum[r][i] = _mm512_setzero_ps();
    for (std::int64_t w = 0; w < p.words_per_block; ++w, words += 16, a += 32 / kBits) {
      _mm_prefetch(reinterpret_cast<const char*>(words + 16 * 32), _MM_HINT_T0);
      multiply_word<kCode, kBits, kRows>(c, _mm512_loadu_si512(words), table, a, sum);
    }
    const __m512 scale = _mm512_loadu_ps(p.scale + 16 * block);
    for (int r = 0; r < kRows; ++r) {
      const __m512 all = _mm512_add_ps(_mm512_add_ps(sum[r][0], sum[r][1]), _mm512_add_ps(sum[r][2], sum[r][3]));
      total[r] = _mm512_fmadd_ps(all, scale, total[r]);
      if (p.offset)
        total[r] = _mm512_fmadd_ps(_mm512_loadu_ps(p.offset + 16 * block),
                                   _mm512_set1_ps(c.a_sum[r * p.blocks + block]), total[r]);
    }
  }
  const auto mask = static_cast<__mmask16>((1U << c.outputs) - 1);
  const __m512 bias = c.bias ? _mm512_maskz_loadu_ps(mask, c.bias) : _mm512_setzero_ps();
  for (int r = 0; r < kRows; ++r) _mm512_mask_storeu_ps(c.y + r * c.y_stride, mask, _mm512_add_ps(total[r], bias));
}

template <NBitsCode kCode, int kBits>
void narrow_rows(const NBitsNarrow& c) noexcept {
  switch (c.rows) {
    case 1:
      return narrow<kCode, kBits, 1>(c);
    case 2:
      return narrow<kCode, kBits, 2>(c);
    case 3:
      return narrow<kCode, kBits, 3>(c);
    default:
      return narrow<kCode, kBits, 4>(c);
  }
}

template <NBitsCode kCode, int kBits, int kField = 0>
inline void decode_word(__m512i words, __m512 table, const float* table256, __m512 scale, __m512 offset,
                        float* out) noexcept {
  const auto put = [&](int byte, __m512 number) {
    _mm512_store_ps(out + 32 * (4 * kField + byte), _mm512_fmadd_ps(number, scale, offset));
  };
  put(0, numbers<kCode, kBits * kField>(words, table, table256));
  put(1, numbers<kCode, 8 + kBits * kField>(words, table, table256));
  put(2, numbers<kCode, 16 + kBits * kField>(words, table, table256));
  put(3, numbers<kCode, 24 + kBits * kField>(words, table, table256));
  if constexpr ((kField + 1) * kBits < 8)
    decode_word<kCode, kBits, kField + 1>(words, table, table256, scale, offset, out);
}

/// Words [first, last) of a panel (counted over blocks) as f32 [k][32], of which this panel fills 16.
template <NBitsCode kCode, int kBits>
void decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  const __m512 table = kCode == NBitsCode::kTable16 ? _mm512_loadu_ps(p.table) : _mm512_setzero_ps();
  for (std::int64_t w = first; w < last; ++w, out += 32 * (32 / kBits)) {
    const std::int64_t block = w / p.words_per_block;
    const __m512 offset = p.offset ? _mm512_loadu_ps(p.offset + 16 * block) : _mm512_setzero_ps();
    decode_word<kCode, kBits>(_mm512_loadu_si512(p.words + 16 * w), table, p.table,
                              _mm512_loadu_ps(p.scale + 16 * block), offset, out);
  }
}

void decode_any(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  if (p.code == NBitsCode::kSigned8) return decode<NBitsCode::kSigned8, 8>(p, first, last, out);
  if (p.code == NBitsCode::kTable256) return decode<NBitsCode::kTable256, 8>(p, first, last, out);
  if (p.bits == 4) return decode<NBitsCode::kTable16, 4>(p, first, last, out);
  return decode<NBitsCode::kTable16, 2>(p, first, last, out);
}

constexpr int kTileRows = 12;

/// y (+)= a · strip for kRows rows and 32 outputs; the first strip begins with the bias.
template <int kRows>
void tile(const NBitsWide& c, std::int64_t row, std::int64_t k, std::int64_t depth, const float* strip) noexcept {
  const __mmask16 masks[2] = {static_cast<__mmask16>((1U << c.outputs[0]) - 1),
                              static_cast<__mmask16>((1U << c.outputs[1]) - 1)};
  __m512 sum[kRows][2];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < 2; ++i) {
      if (k > 0)
        sum[r][i] = _mm512_maskz_loadu_ps(masks[i], c.y + (row + r) * c.y_stride + 16 * i);
      else
        sum[r][i] = c.bias[i] ? _mm512_maskz_loadu_ps(masks[i], c.bias[i]) : _mm512_setzero_ps();
    }
  const float* a = c.a + row * c.a_stride + k;
  for (std::int64_t i = 0; i < depth; ++i) {
    const __m512 w0 = _mm512_load_ps(strip + 32 * i), w1 = _mm512_load_ps(strip + 32 * i + 16);
    for (int r = 0; r < kRows; ++r) {
      const __m512 x = _mm512_set1_ps(a[r * c.a_stride + i]);
      sum[r][0] = _mm512_fmadd_ps(w0, x, sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(w1, x, sum[r][1]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < 2; ++i) _mm512_mask_storeu_ps(c.y + (row + r) * c.y_stride + 16 * i, masks[i], sum[r][i]);
}

template <int kRows = kTileRows - 1>
void last_tile(const NBitsWide& c, std::int64_t row, std::int64_t k, std::int64_t depth, const float* strip) noexcept {
  if constexpr (kRows > 0) {
    if (c.rows - row == kRows) return tile<kRows>(c, row, k, depth, strip);
    last_tile<kRows - 1>(c, row, k, depth, strip);
  }
}

}  // namespace

void nbits_narrow(const NBitsNarrow& c) noexcept {
  if (c.panel.code == NBitsCode::kSigned8) return narrow_rows<NBitsCode::kSigned8, 8>(c);
  if (c.panel.code == NBitsCode::kTable256) return narrow_rows<NBitsCode::kTable256, 8>(c);
  if (c.panel.bits == 4) return narrow_rows<NBitsCode::kTable16, 4>(c);
  return narrow_rows<NBitsCode::kTable16, 2>(c);
}

void nbits_wide(const NBitsWide& c) noexcept {
  const NBitsPanel& p = c.panel[0];
  const std::int64_t per_word = 32 / p.bits, words = p.blocks * p.words_per_block, step = kNBitsStripDepth / per_word;
  float* strip = static_cast<float*>(c.scratch);
  for (std::int64_t first = 0; first < words; first += step) {
    const std::int64_t last = first + step < words ? first + step : words, depth = (last - first) * per_word;
    decode_any(p, first, last, strip);
    if (c.panel[1].words) decode_any(c.panel[1], first, last, strip + 16);
    std::int64_t row = 0;
    for (; row + kTileRows <= c.rows; row += kTileRows) tile<kTileRows>(c, row, first * per_word, depth, strip);
    last_tile(c, row, first * per_word, depth, strip);
  }
}

}  // namespace pare::kernels::avx512
