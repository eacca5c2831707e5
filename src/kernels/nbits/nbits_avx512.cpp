// Sixteen outputs a register.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in the header of gcc 12 (its bug 105593)
#include "kernels/nbits/piece_avx512.h"
#include "kernels/nbits/strip.h"
#include "kernels/transpose16_avx512.h"

namespace pare::kernels::avx512 {

namespace {

template <NBitsCode kCode, int kRows, int kByte>
inline void multiply_byte(const NBitsNarrow& c, __m512i field, __m512 table, const float* a,
                          __m512 (&sum)[kRows][4]) noexcept {
  const __m512 w = numbers<kCode, kByte>(field, table);
  for (int r = 0; r < kRows; ++r)
    sum[r][kByte] = _mm512_fmadd_ps(w, _mm512_set1_ps(a[r * c.a_stride + kByte]), sum[r][kByte]);
}

template <NBitsCode kCode, int kBits, int kRows, int kField = 0>
inline void multiply_piece(const NBitsNarrow& c, const Piece<kBits>& piece, __m512 table, const float* a,
                           __m512 (&sum)[kRows][4]) noexcept {
  const __m512i field = piece.template field<kField>();
  multiply_byte<kCode, kRows, 0>(c, field, table, a + 4 * kField, sum);
  multiply_byte<kCode, kRows, 1>(c, field, table, a + 4 * kField, sum);
  multiply_byte<kCode, kRows, 2>(c, field, table, a + 4 * kField, sum);
  multiply_byte<kCode, kRows, 3>(c, field, table, a + 4 * kField, sum);
  if constexpr ((kField + 1) * 4 < kCodes<kBits>)
    multiply_piece<kCode, kBits, kRows, kField + 1>(c, piece, table, a, sum);
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
    for (std::int64_t k = 0; k < p.depth; k += kCodes<kBits>, words += 16 * kWords<kBits>, a += kCodes<kBits>) {
      _mm_prefetch(reinterpret_cast<const char*>(words + 16 * 32), _MM_HINT_T0);
      multiply_piece<kCode, kBits, kRows>(c, Piece<kBits>(words), table, a, sum);
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

/// Codes of one output along K: each vector of 16 numbers meets 16 activations.
template <bool kWide>
struct Row {
  static constexpr int kCodes = kWide ? 64 : 128, kVectors = kCodes / 16;
  const std::uint32_t* words;
  const float* numbers;  ///< the table of 256
  __m512 table;          ///< the table of 16

  Row(const NBitsPanel& p, int output)
      : words(p.words + output * p.words_per_block),
        numbers(p.table + output * p.table_stride),
        table(_mm512_loadu_ps(numbers)) {}
  __m512 vector(std::int64_t piece, int i) const {
    if constexpr (kWide) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(words + 16 * piece) + 16 * i;
      return _mm512_i32gather_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))),
                                 numbers, 4);
    }
    return _mm512_permutexvar_ps(_mm512_srl_epi32(_mm512_loadu_si512(words + 16 * piece), _mm_cvtsi32_si128(4 * i)),
                                 table);
  }
};

template <bool kWide, int kRows>
void narrow_by_rows(const NBitsNarrow& c) noexcept {
  using Codes = Row<kWide>;
  for (int output = 0; output < c.outputs; ++output) {
    const Codes row(c.panel, output);
    __m512 sum[kRows][4];
    for (int r = 0; r < kRows; ++r)
      for (int i = 0; i < 4; ++i) sum[r][i] = _mm512_setzero_ps();
    for (std::int64_t piece = 0, k = 0; k < c.panel.depth; ++piece, k += Codes::kCodes) {
      _mm_prefetch(reinterpret_cast<const char*>(row.words + 16 * piece + 16 * 32), _MM_HINT_T0);
#pragma GCC unroll 8
      for (int i = 0; i < Codes::kVectors; ++i) {
        const __m512 w = row.vector(piece, i);
        for (int r = 0; r < kRows; ++r)
          sum[r][i % 4] = _mm512_fmadd_ps(w, _mm512_loadu_ps(c.a + r * c.a_stride + k + 16 * i), sum[r][i % 4]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m512 all = _mm512_add_ps(_mm512_add_ps(sum[r][0], sum[r][1]), _mm512_add_ps(sum[r][2], sum[r][3]));
      c.y[r * c.y_stride + output] =
          _mm512_reduce_add_ps(all) * c.panel.scale[output] + (c.bias ? c.bias[output] : 0.0f);
    }
  }
}

template <NBitsCode kCode, int kBits, int kRows>
void narrow_rows_of(const NBitsNarrow& c) noexcept {
  if constexpr (kCode == NBitsCode::kRows16 || kCode == NBitsCode::kRows256)
    return narrow_by_rows<kCode == NBitsCode::kRows256, kRows>(c);
  else
    return narrow<kCode, kBits, kRows>(c);
}

template <NBitsCode kCode, int kBits>
void narrow_rows(const NBitsNarrow& c) noexcept {
  static constexpr void (*kByRows[])(const NBitsNarrow&) noexcept = {
      narrow_rows_of<kCode, kBits, 1>, narrow_rows_of<kCode, kBits, 2>, narrow_rows_of<kCode, kBits, 3>,
      narrow_rows_of<kCode, kBits, 4>};
  kByRows[c.rows - 1](c);
}

template <NBitsCode kCode, int kBits, int kField = 0>
inline void decode_piece(const Piece<kBits>& piece, __m512 table, __m512 scale, __m512 offset, float* out) noexcept {
  const __m512i field = piece.template field<kField>();
  float* to = out + 32 * 4 * kField;
  _mm512_store_ps(to, _mm512_fmadd_ps(numbers<kCode, 0>(field, table), scale, offset));
  _mm512_store_ps(to + 32, _mm512_fmadd_ps(numbers<kCode, 1>(field, table), scale, offset));
  _mm512_store_ps(to + 64, _mm512_fmadd_ps(numbers<kCode, 2>(field, table), scale, offset));
  _mm512_store_ps(to + 96, _mm512_fmadd_ps(numbers<kCode, 3>(field, table), scale, offset));
  if constexpr ((kField + 1) * 4 < kCodes<kBits>)
    decode_piece<kCode, kBits, kField + 1>(piece, table, scale, offset, out);
}

template <NBitsCode kCode, int kBits>
void decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  const __m512 table = kCode == NBitsCode::kTable16 ? _mm512_loadu_ps(p.table) : _mm512_setzero_ps();
  for (std::int64_t k = first; k < last; k += kCodes<kBits>, out += 32 * kCodes<kBits>) {
    const std::int64_t block = k / p.depth;
    const __m512 offset = p.offset ? _mm512_loadu_ps(p.offset + 16 * block) : _mm512_setzero_ps();
    decode_piece<kCode, kBits>(Piece<kBits>(p.words + 16 * (k / kCodes<kBits> * kWords<kBits>)), table,
                               _mm512_loadu_ps(p.scale + 16 * block), offset, out);
  }
}

template <bool kWide>
void decode_by_rows(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  using Codes = Row<kWide>;
  const __m512 scale = _mm512_loadu_ps(p.scale);
  for (std::int64_t k = first; k < last; k += Codes::kCodes, out += 32 * Codes::kCodes)
    for (int i = 0; i < Codes::kVectors; ++i) {
      __m512 r[16];
      for (int output = 0; output < 16; ++output) r[output] = Codes(p, output).vector(k / Codes::kCodes, i);
      transpose16(r);
      for (int n = 0; n < 16; ++n) _mm512_store_ps(out + 32 * (16 * i + n), _mm512_mul_ps(r[n], scale));
    }
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
  switch (c.panel.code) {
    case NBitsCode::kSigned8:
      return narrow_rows<NBitsCode::kSigned8, 8>(c);
    case NBitsCode::kRows16:
      return narrow_rows<NBitsCode::kRows16, 4>(c);
    case NBitsCode::kRows256:
      return narrow_rows<NBitsCode::kRows256, 8>(c);
    case NBitsCode::kTable16:
      break;
  }
  if (c.panel.bits == 4) return narrow_rows<NBitsCode::kTable16, 4>(c);
  if (c.panel.bits == 3) return narrow_rows<NBitsCode::kTable16, 3>(c);
  return narrow_rows<NBitsCode::kTable16, 2>(c);
}

void nbits_decode(const NBitsPanel& p, std::int64_t first, std::int64_t last, float* out) noexcept {
  if (p.code == NBitsCode::kSigned8) return decode<NBitsCode::kSigned8, 8>(p, first, last, out);
  if (p.code == NBitsCode::kRows16) return decode_by_rows<false>(p, first, last, out);
  if (p.code == NBitsCode::kRows256) return decode_by_rows<true>(p, first, last, out);
  if (p.bits == 4) return decode<NBitsCode::kTable16, 4>(p, first, last, out);
  if (p.bits == 3) return decode<NBitsCode::kTable16, 3>(p, first, last, out);
  return decode<NBitsCode::kTable16, 2>(p, first, last, out);
}

void nbits_wide(const NBitsWide& c) noexcept {
  const std::int64_t codes = c.panel[0].blocks * c.panel[0].depth;
  float* strip = static_cast<float*>(c.scratch);
  for (std::int64_t first = 0; first < codes; first += kNBitsStripDepth) {
    const std::int64_t last = first + kNBitsStripDepth < codes ? first + kNBitsStripDepth : codes, depth = last - first;
    c.decode(c.panel[0], first, last, strip);
    if (c.panel[1].words) c.decode(c.panel[1], first, last, strip + 16);
    std::int64_t row = 0;
    for (; row + kTileRows <= c.rows; row += kTileRows) tile<kTileRows>(c, row, first, depth, strip);
    last_tile(c, row, first, depth, strip);
  }
}

}  // namespace pare::kernels::avx512
