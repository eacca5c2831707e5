// Transposition by four columns of 16 rows; pixels that lie in vectors are permuted.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"
#include "kernels/sppanel/turn_avx512.h"
#include "kernels/transpose16_avx512.h"

namespace pare::kernels::avx512 {
namespace {

/// Elements of 16 pixels.
void gather16(const PanelGather& g, int vector) {
  const std::uint32_t* x[16];
  for (int p = 0; p < 16; ++p) x[p] = g.pixels[16 * vector + p];
  std::uint32_t* to = g.panel + vector * g.stride;
  const __m512 flip = _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(g.flip)));
  std::int64_t i = 0;
  for (; i + 16 <= g.count; i += 16) {  // of each pixel a cache line at once: those of 16 pixels may fall into one set
    __m512 r[16];
#pragma GCC unroll 16
    for (int p = 0; p < 16; ++p) r[p] = _mm512_loadu_ps(x[p] + i);
    transpose16(r);
#pragma GCC unroll 16
    for (int e = 0; e < 16; ++e) _mm512_storeu_ps(to + 16 * (i + e), _mm512_xor_ps(r[e], flip));
  }
  for (; i + 4 <= g.count; i += 4) {
    __m512i r[4];
    turn4(x, i, r);
    for (int e = 0; e < 4; ++e)
      _mm512_storeu_si512(to + 16 * (i + e), _mm512_xor_si512(r[e], _mm512_castps_si512(flip)));
  }
  for (; i < g.count; ++i)
    for (int p = 0; p < 16; ++p) to[16 * i + p] = x[p][i] ^ g.flip;
}

/// Lanes of a vector that lie in the same vector of the source.
struct Part {
  const std::uint32_t* from;
  __mmask16 mask;
};

/// Lanes of `inside` from one or two vectors: those of the second count from 16.
void permute(const std::uint32_t* from, const std::uint32_t* from2, __mmask16 inside, __m512i lanes,
             std::int64_t channels, std::uint32_t* to) {
  for (std::int64_t i = 0; i < 16 * channels; i += 16)
    _mm512_storeu_si512(to + i, _mm512_maskz_permutex2var_epi32(inside, _mm512_loadu_si512(from + i), lanes,
                                                                _mm512_loadu_si512(from2 + i)));
}

void permute_many(const Part* parts, int count, __m512i lanes, std::int64_t channels, std::uint32_t* to) {
  for (std::int64_t i = 0; i < 16 * channels; i += 16) {
    __m512i x = _mm512_setzero_si512();
    for (int n = 0; n < count; ++n)
      x = _mm512_mask_permutexvar_epi32(x, parts[n].mask, lanes, _mm512_loadu_si512(parts[n].from + i));
    _mm512_storeu_si512(to + i, x);
  }
}

}  // namespace

void panel_gather(const PanelGather& g) noexcept {
  for (int v = 0; v < g.vectors; ++v) gather16(g, v);
}

void panel_shift(const PanelShift& s) noexcept {
  const __m512i lane_numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                origin = _mm512_set1_epi64(reinterpret_cast<std::int64_t>(s.origin)),
                end = _mm512_set1_epi64(static_cast<std::int64_t>(s.count)),
                low = _mm512_sub_epi64(_mm512_loadu_si512(s.pixels), origin),
                high = _mm512_sub_epi64(_mm512_loadu_si512(s.pixels + 8), origin);
  unsigned left = _mm512_cmplt_epu64_mask(low, end) | static_cast<unsigned>(_mm512_cmplt_epu64_mask(high, end)) << 8;
  const auto inside = static_cast<__mmask16>(left);
  const __m512i pixels = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(low)),
                                            _mm512_cvtepi64_epi32(high), 1),
                vectors = _mm512_srli_epi32(pixels, 4);
  if (left != 0) {  // pixels side by side, as with a stride of 1, need not be looked at one by one
    const int lane = __builtin_ctz(left);
    const std::int64_t begin = s.pixels[lane] - s.origin - lane, vector = begin >> 4;  // may be below 0
    const __m512i shifted = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(begin)), lane_numbers);
    if (_mm512_mask_cmpneq_epi32_mask(inside, pixels, shifted) == 0) {
      const __m512i lanes = _mm512_sub_epi32(shifted, _mm512_set1_epi32(static_cast<int>(16 * vector)));
      const std::int64_t last = static_cast<std::int64_t>(s.count - 1) >> 4;
      const auto at = [&](std::int64_t v) { return s.from + (v < 0 ? 0 : v > last ? last : v) * s.stride; };
      return permute(at(vector), at(vector + 1), inside, lanes, s.channels, s.to);
    }
  }
  alignas(64) std::uint32_t vector_of[16];
  _mm512_store_si512(vector_of, vectors);
  Part parts[16];
  int count = 0;
  while (left != 0) {
    const std::uint32_t vector = vector_of[__builtin_ctz(left)];
    const __mmask16 same = _mm512_mask_cmpeq_epi32_mask(static_cast<__mmask16>(left), vectors,
                                                        _mm512_set1_epi32(static_cast<int>(vector)));
    parts[count++] = {s.from + vector * s.stride, same};
    left &= ~static_cast<unsigned>(same);
  }
  if (count == 2) {
    const __m512i lanes = _mm512_and_si512(pixels, _mm512_set1_epi32(15));
    return permute(parts[0].from, parts[1].from, inside,
                   _mm512_mask_add_epi32(lanes, parts[1].mask, lanes, _mm512_set1_epi32(16)), s.channels, s.to);
  }
  permute_many(parts, count, pixels, s.channels, s.to);  // permutations read the last four bits
}

void panel_spread(const PanelSpread& s) noexcept {
  for (int p = 0; p < s.pixels; p += 4) {
    const std::uint32_t* rows[16];
    for (int c = 0; c < 16; ++c)  // of missing channels the last
      rows[c] = s.sums + p / 16 * s.stride + 16 * (c < s.channels ? c : s.channels - 1);
    __m512i r[4];
    turn4(rows, p % 16, r);
    for (int e = 0; e < 4 && p + e < s.pixels; ++e) _mm512_storeu_si512(s.rows + 16 * (p + e), r[e]);
  }
}

}  // namespace pare::kernels::avx512
