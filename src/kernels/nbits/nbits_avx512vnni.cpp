// The int8 form: weights less their zero point as s8, activations as u8 about 128. What the 128 adds is taken out
// before the sum begins, so that a block costs nothing but its scale.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in the header of gcc 12 (its bug 105593)
#include <immintrin.h>

#include "kernels/nbits/strip.h"

namespace pare::kernels::avx512vnni {

namespace {

constexpr int kTileRows = 6;

/// Field f of three words of 3-bit codes: the codes in the low bits of their bytes, anything above them.
inline __m512i three_bits(const std::uint32_t* words, int f) noexcept {
  const __m512i low = _mm512_srl_epi32(_mm512_loadu_si512(words + 16 * (f / 4)), _mm_cvtsi32_si128(2 * (f % 4)));
  const __m512i high = _mm512_slli_epi32(_mm512_srl_epi32(_mm512_loadu_si512(words + 32), _mm_cvtsi32_si128(f)), 2);
  return _mm512_ternarylogic_epi32(_mm512_set1_epi8(3), low, high, 0xCA);  // the low two bits of `low`, else `high`
}

/// The weights of one block of a panel as s8 [k / 4][2 panels][16][4] (this panel's half), and −128 · Σw [16].
void decode(const NBitsPanel& p, std::int64_t block, std::int8_t* out, std::int32_t* start) noexcept {
  const __m512i zero = _mm512_mullo_epi32(
      _mm512_and_epi32(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p.zero + 16 * block))),
                       _mm512_set1_epi32(255)),
      _mm512_set1_epi32(0x01010101));
  const __m512i mask = _mm512_set1_epi8(static_cast<char>((1 << p.bits) - 1)), ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  const std::uint32_t* words = p.words + 16 * block * p.words_per_block;
  const auto put = [&](__m512i field) {
    const __m512i number = _mm512_sub_epi8(_mm512_and_si512(field, mask), zero);
    _mm512_store_si512(out, number);
    sum = _mm512_dpbusd_epi32(sum, ones, number);
    out += 128;
  };
  if (p.bits == 3) {
    for (std::int64_t w = 0; w < p.words_per_block; w += 3, words += 48)
      for (int f = 0; f < 8; ++f) put(three_bits(words, f));
  } else {
    for (std::int64_t w = 0; w < p.words_per_block; ++w, words += 16)
      for (int f = 0; f < 8; f += p.bits) put(_mm512_srl_epi32(_mm512_loadu_si512(words), _mm_cvtsi32_si128(f)));
  }
  _mm512_store_si512(start, _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sum, 7)));
}

/// A strip of whole blocks, decoded.
struct Strip {
  const std::int8_t* weights;
  const std::int32_t* start;          ///< [blocks][2][16]
  std::int64_t first, blocks, quads;  ///< quads: k / 4 of a block
};

template <int kRows>
void tile(const NBitsWide& c, std::int64_t row, const Strip& strip) noexcept {
  const bool two = c.panel[1].words != nullptr;
  const __mmask16 masks[2] = {static_cast<__mmask16>((1U << c.outputs[0]) - 1),
                              static_cast<__mmask16>((1U << c.outputs[1]) - 1)};
  __m512 sum[kRows][2];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < 2; ++i) {
      if (strip.first > 0)
        sum[r][i] = _mm512_maskz_loadu_ps(masks[i], c.y + (row + r) * c.y_stride + 16 * i);
      else
        sum[r][i] = c.bias[i] ? _mm512_maskz_loadu_ps(masks[i], c.bias[i]) : _mm512_setzero_ps();
    }
  const std::int8_t* w = strip.weights;
  const std::uint8_t* a = c.a8 + row * c.a_stride + strip.first * strip.quads * 4;
  for (std::int64_t b = 0; b < strip.blocks; ++b) {
    const std::int64_t block = strip.first + b;
    __m512i acc[kRows][2];
    for (int r = 0; r < kRows; ++r)
      for (int i = 0; i < 2; ++i) acc[r][i] = _mm512_load_si512(strip.start + 32 * b + 16 * i);
    for (std::int64_t q = 0; q < strip.quads; ++q, w += 128, a += 4) {
      const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64);
      for (int r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(a + r * c.a_stride));
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], x, w0);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], x, w1);
        asm("" : "+v"(acc[r][0]), "+v"(acc[r][1]));  // else gcc 12 moves each sum to another register and back
      }
    }
    const __m512 s0 = _mm512_loadu_ps(c.panel[0].scale + 16 * block),
                 s1 = two ? _mm512_loadu_ps(c.panel[1].scale + 16 * block) : _mm512_setzero_ps();
    for (int r = 0; r < kRows; ++r) {
      const __m512 scale = _mm512_set1_ps(c.a_scale[(row + r) * c.panel[0].blocks + block]);
      sum[r][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][0]), _mm512_mul_ps(scale, s0), sum[r][0]);
      sum[r][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][1]), _mm512_mul_ps(scale, s1), sum[r][1]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < 2; ++i) _mm512_mask_storeu_ps(c.y + (row + r) * c.y_stride + 16 * i, masks[i], sum[r][i]);
}

template <int kRows = kTileRows - 1>
void last_tile(const NBitsWide& c, std::int64_t row, const Strip& strip) noexcept {
  if constexpr (kRows > 0) {
    if (c.rows - row == kRows) return tile<kRows>(c, row, strip);
    last_tile<kRows - 1>(c, row, strip);
  }
}

template <int kBits, int kRows>
void digits(const NBitsDigits& c) noexcept {
  constexpr int kWords = kBits == 3 ? 3 : 1;
  const NBitsPanel& p = c.panel;
  const __m512i mask = _mm512_set1_epi8((1 << kBits) - 1);
  const __m512 centre = _mm512_set1_ps(1 << (kBits - 1)), base = _mm512_set1_ps(256.0f);
  __m512 total[kRows];
  for (int r = 0; r < kRows; ++r) total[r] = _mm512_setzero_ps();
  const std::uint32_t* words = p.words;
  std::int64_t k = 0;
  for (std::int64_t block = 0; block < p.blocks; ++block) {
    __m512i sum[kRows][3];
    for (int r = 0; r < kRows; ++r)
      for (int d = 0; d < 3; ++d) sum[r][d] = _mm512_setzero_si512();
    for (std::int64_t w = 0; w < p.words_per_block; w += kWords, words += 16 * kWords) {
      _mm_prefetch(reinterpret_cast<const char*>(words + 16 * 48), _MM_HINT_T0);
#pragma GCC unroll 8
      for (int f = 0; f < 8 * kWords / kBits; ++f, k += 4) {
        const __m512i field = kBits == 3 ? three_bits(words, f)
                                         : _mm512_srl_epi32(_mm512_loadu_si512(words), _mm_cvtsi32_si128(kBits * f));
        const __m512i codes = _mm512_and_si512(field, mask);
        for (int r = 0; r < kRows; ++r)
          for (int d = 0; d < 3; ++d)
            sum[r][d] = _mm512_dpbusd_epi32(
                sum[r][d], codes,
                _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(c.digit[d] + r * c.a_stride + k)));
      }
    }
    const __m512 scale = _mm512_loadu_ps(p.scale + 16 * block);
    const __m512 offset =
        _mm512_fnmadd_ps(scale, centre, p.offset ? _mm512_loadu_ps(p.offset + 16 * block) : _mm512_setzero_ps());
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t at = r * p.blocks + block;
      const __m512 low = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][1]), base, _mm512_cvtepi32_ps(sum[r][2]));
      const __m512 all = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][0]), _mm512_mul_ps(base, base), low);
      total[r] = _mm512_fmadd_ps(all, _mm512_mul_ps(scale, _mm512_set1_ps(c.a_scale[at])), total[r]);
      total[r] = _mm512_fmadd_ps(offset, _mm512_set1_ps(c.a_sum[at]), total[r]);
    }
  }
  const auto outputs = static_cast<__mmask16>((1U << c.outputs) - 1);
  const __m512 bias = c.bias ? _mm512_maskz_loadu_ps(outputs, c.bias) : _mm512_setzero_ps();
  for (int r = 0; r < kRows; ++r) _mm512_mask_storeu_ps(c.y + r * c.y_stride, outputs, _mm512_add_ps(total[r], bias));
}

template <int kBits>
void digits_rows(const NBitsDigits& c) noexcept {
  switch (c.rows) {
    case 1:
      return digits<kBits, 1>(c);
    case 2:
      return digits<kBits, 2>(c);
    case 3:
      return digits<kBits, 3>(c);
    default:
      return digits<kBits, 4>(c);
  }
}

}  // namespace

void nbits_digits(const NBitsDigits& c) noexcept {
  if (c.panel.bits == 4) return digits_rows<4>(c);
  c.panel.bits == 3 ? digits_rows<3>(c) : digits_rows<2>(c);
}

void nbits_wide_int8(const NBitsWide& c) noexcept {
  const NBitsPanel& p = c.panel[0];
  const std::int64_t depth = p.depth, quads = depth / 4;
  constexpr std::int64_t kStartBytes = 8192;  // of the scratch, for at most 64 blocks
  auto* start = static_cast<std::int32_t*>(c.scratch);
  auto* weights = static_cast<std::int8_t*>(c.scratch) + kStartBytes;
  std::int64_t most = 1024 / depth;
  most = most < 1 ? 1 : most > 64 ? 64 : most;
  for (std::int64_t first = 0; first < p.blocks; first += most) {
    const std::int64_t blocks = first + most < p.blocks ? most : p.blocks - first;
    for (std::int64_t b = 0; b < blocks; ++b)
      for (int i = 0; i < 2; ++i)
        if (c.panel[i].words)
          decode(c.panel[i], first + b, weights + b * quads * 128 + 64 * i, start + 32 * b + 16 * i);
    const Strip strip{weights, start, first, blocks, quads};
    std::int64_t row = 0;
    for (; row + kTileRows <= c.rows; row += kTileRows) tile<kTileRows>(c, row, strip);
    last_tile(c, row, strip);
  }
}

}  // namespace pare::kernels::avx512vnni
