// Tables of 256 numbers in registers: vpermi2b looks up 64 codes among 128 bytes, so that four byte planes of the table
// take eight of them; unpacking puts the bytes of a number together. Everything else is avx512's.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in the header of gcc 12 (its bug 105593)
#include "kernels/nbits/strip.h"
#include "kernels/transpose16_avx512.h"

namespace pare::kernels::avx512 {
void nbits_narrow(const NBitsNarrow& c) noexcept;
void nbits_decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept;
}  // namespace pare::kernels::avx512

namespace pare::kernels::avx512vnni_vbmi {

namespace {

constexpr int kCodes = 64, kVectors = 4;

struct Table {
  __m512i part[4][4];  ///< [plane][64 bytes]

  explicit Table(const float* planes) {
    for (int b = 0; b < 4; ++b)
      for (int i = 0; i < 4; ++i) part[b][i] = _mm512_loadu_si512(planes + 64 * b + 16 * i);
  }

  __m512i bytes(int plane, __m512i codes, __mmask64 upper) const {
    const __m512i* p = part[plane];
    return _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(p[0], codes, p[1]), upper,
                                _mm512_permutex2var_epi8(p[2], codes, p[3]));
  }

  /// Vector i has the numbers of k = 16i … 16i + 15 (NBitsPanel::planes).
  void look_up(__m512i codes, __m512 (&numbers)[kVectors]) const {
    const __mmask64 upper = _mm512_movepi8_mask(codes);
    const __m512i b0 = bytes(0, codes, upper), b1 = bytes(1, codes, upper), b2 = bytes(2, codes, upper),
                  b3 = bytes(3, codes, upper);
    const __m512i low[2] = {_mm512_unpacklo_epi8(b0, b1), _mm512_unpackhi_epi8(b0, b1)},
                  high[2] = {_mm512_unpacklo_epi8(b2, b3), _mm512_unpackhi_epi8(b2, b3)};
    for (int i = 0; i < 2; ++i) {
      numbers[2 * i] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(low[i], high[i]));
      numbers[2 * i + 1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(low[i], high[i]));
    }
  }
};

template <int kRows>
void narrow(const NBitsNarrow& c) noexcept {
  const NBitsPanel& p = c.panel;
  for (int output = 0; output < c.outputs; ++output) {
    const Table table(p.table + output * p.table_stride);
    const std::uint32_t* words = p.words + output * p.words_per_block;
    __m512 sum[kRows][kVectors];
    for (int r = 0; r < kRows; ++r)
      for (int i = 0; i < kVectors; ++i) sum[r][i] = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < p.depth; k += kCodes, words += 16) {
      _mm_prefetch(reinterpret_cast<const char*>(words + 16 * 32), _MM_HINT_T0);
      __m512 w[kVectors];
      table.look_up(_mm512_loadu_si512(words), w);
      for (int r = 0; r < kRows; ++r)
        for (int i = 0; i < kVectors; ++i)
          sum[r][i] = _mm512_fmadd_ps(w[i], _mm512_loadu_ps(c.a + r * c.a_stride + k + 16 * i), sum[r][i]);
    }
    for (int r = 0; r < kRows; ++r) {
      const __m512 all = _mm512_add_ps(_mm512_add_ps(sum[r][0], sum[r][1]), _mm512_add_ps(sum[r][2], sum[r][3]));
      c.y[r * c.y_stride + output] = _mm512_reduce_add_ps(all) * p.scale[output] + (c.bias ? c.bias[output] : 0.0f);
    }
  }
}

void decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  alignas(64) float rows[16][kNBitsStripDepth];
  for (int output = 0; output < 16; ++output) {
    const Table table(p.table + output * p.table_stride);
    const std::uint32_t* words = p.words + output * p.words_per_block;
    for (std::int64_t k = first; k < last; k += kCodes) {
      __m512 w[kVectors];
      table.look_up(_mm512_loadu_si512(words + k / 4), w);
      for (int i = 0; i < kVectors; ++i) _mm512_store_ps(rows[output] + (k - first) + 16 * i, w[i]);
    }
  }
  const __m512 scale = _mm512_loadu_ps(p.scale);
  for (std::int64_t k = 0; k < last - first; k += 16) {
    __m512 r[16];
    for (int output = 0; output < 16; ++output) r[output] = _mm512_load_ps(rows[output] + k);
    transpose16(r);
    for (int n = 0; n < 16; ++n) _mm512_store_ps(out + 32 * (k + n), _mm512_mul_ps(r[n], scale));
  }
}

}  // namespace

void nbits_narrow(const NBitsNarrow& c) noexcept {
  static constexpr void (*kByRows[])(const NBitsNarrow&) noexcept = {narrow<1>, narrow<2>, narrow<3>, narrow<4>};
  c.panel.planes ? kByRows[c.rows - 1](c) : avx512::nbits_narrow(c);
}

void nbits_decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  p.planes ? decode(p, first, last, out) : avx512::nbits_decode(p, first, last, out);
}

}  // namespace pare::kernels::avx512vnni_vbmi
