// vpopcntd counts the bits of 16 output channels; masks stay in a register for all pixels of the tile. False alarms in the
// header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/bitconv/tile.h"

namespace pare::kernels::avx512vnni_vbmi {
namespace {

/// popcount(u & mask) of 16 channels.
__m512i count(std::uint32_t u, __m512i mask) {
  return _mm512_popcnt_epi32(_mm512_and_si512(_mm512_set1_epi32(static_cast<int>(u)), mask));
}

template <int P, int kBits, bool kBinary>
void tile(const BitTile& t) {
  __m512i acc[P][kBits];
  std::int32_t total[P] = {};
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
    for (int j = 0; j < kBits; ++j) acc[p][j] = _mm512_setzero_si512();
  const std::uint32_t* masks = t.masks;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint32_t* const* u = t.inputs + tap * kBitPixels;
    for (std::int64_t g = 0; g < t.groups; ++g, masks += (kBinary ? 1 : 2) * kBitChannels) {
      const __m512i ones = _mm512_loadu_si512(masks);
      const __m512i minus = kBinary ? ones : _mm512_loadu_si512(masks + (kBinary ? 0 : kBitChannels));
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
        for (int j = 0; j < kBits; ++j) {
          const std::uint32_t word = u[p][g * kBits + j];
          acc[p][j] = _mm512_add_epi32(acc[p][j], count(word, ones));
          if (!kBinary) acc[p][j] = _mm512_sub_epi32(acc[p][j], count(word, minus));
        }
    }
    for (int p = 0; p < P; ++p) total[p] += static_cast<std::int32_t>(u[p][t.groups * kBits]);
  }
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    __m512i sum = kBits == 1 ? acc[p][0] : _mm512_add_epi32(acc[p][0], _mm512_slli_epi32(acc[p][kBits - 1], 1));
    if (kBinary) sum = _mm512_sub_epi32(_mm512_slli_epi32(sum, 1), _mm512_set1_epi32(total[p]));
    _mm512_storeu_si512(t.sums + p * kBitChannels, sum);
  }
}

template <int kBits, bool kBinary>
void by_pixels(const BitTile& t) {
  static constexpr void (*kTiles[])(const BitTile&) = {
      tile<1, kBits, kBinary>, tile<2, kBits, kBinary>, tile<3, kBits, kBinary>, tile<4, kBits, kBinary>,
      tile<5, kBits, kBinary>, tile<6, kBits, kBinary>, tile<7, kBits, kBinary>, tile<8, kBits, kBinary>};
  kTiles[t.pixels - 1](t);
}

}  // namespace

void bitconv_encode(const BitEncode& e) noexcept {
  const __m512i lowest = _mm512_set1_epi8(static_cast<char>(e.lowest));
  const std::int64_t words = (e.channels + kBitGroup - 1) / kBitGroup;
  std::uint32_t sum = 0;
  for (std::int64_t c = 0; c < e.channels; c += 64) {
    const std::int64_t left = e.channels - c;
    const __mmask64 inside = left < 64 ? (1ull << left) - 1 : ~0ull;
    const __m512i u = _mm512_maskz_sub_epi8(inside, _mm512_maskz_loadu_epi8(inside, e.in + c), lowest);
    for (int j = 0; j < e.bits; ++j) {
      const std::uint64_t plane = _mm512_test_epi8_mask(u, _mm512_set1_epi8(static_cast<char>(1 << j)));
      sum += static_cast<std::uint32_t>(__builtin_popcountll(plane)) << j;
      std::uint32_t* out = e.out + c / kBitGroup * e.bits + j;
      out[0] = static_cast<std::uint32_t>(plane);
      if (left > kBitGroup) out[e.bits] = static_cast<std::uint32_t>(plane >> 32);
    }
  }
  e.out[words * e.bits] = sum;
}

void bitconv_tile(const BitTile& t) noexcept {
  if (t.bits == 1) return t.binary ? by_pixels<1, true>(t) : by_pixels<1, false>(t);
  t.binary ? by_pixels<2, true>(t) : by_pixels<2, false>(t);
}

}  // namespace pare::kernels::avx512vnni_vbmi
