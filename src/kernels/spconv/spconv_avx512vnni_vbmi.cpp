// vpermb picks the inputs of a slot for 16 channels, vpdpbusd multiplies and adds four of them a channel; indices and
// weights stay in registers for all pixels of the tile. False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/spconv/tile.h"

namespace pare::kernels::avx512vnni_vbmi {
namespace {

template <bool kSigned>
__m512i raw(__m512i bytes) {
  return kSigned ? _mm512_xor_si512(bytes, _mm512_set1_epi8(static_cast<char>(0x80))) : bytes;
}

template <int P, bool kSigned>
void accumulate(const SpConvTile& t, std::int32_t* sums) {
  const __mmask64 tail = t.tail == kSpConvGroup ? ~0ull : (1ull << t.tail) - 1;
  const std::uint8_t *slots = t.slots, *data = t.data;
  __m512i acc[P];
#pragma GCC unroll 14
  for (int p = 0; p < P; ++p) acc[p] = _mm512_setzero_si512();
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint8_t* at[P];
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) at[p] = t.inputs[tap * kSpConvPixels + p];
    for (std::int64_t g = 0; g < t.groups; ++g) {
      const int count = *slots++;
      if (count == 0) continue;
      __m512i x[P];
      if (g + 1 < t.groups || t.tail == kSpConvGroup) {  // a masked load would cost as much as a permutation
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(_mm512_loadu_si512(at[p] + g * kSpConvGroup));
      } else {
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(_mm512_maskz_loadu_epi8(tail, at[p] + g * kSpConvGroup));
      }
      for (int slot = 0; slot < count; ++slot, data += kSpConvSlot) {
        const __m512i index = _mm512_loadu_si512(data), weight = _mm512_loadu_si512(data + kSpConvSlot / 2);
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) acc[p] = _mm512_dpbusd_epi32(acc[p], _mm512_permutexvar_epi8(index, x[p]), weight);
      }
    }
  }
#pragma GCC unroll 14
  for (int p = 0; p < P; ++p) _mm512_storeu_si512(sums + 16 * p, acc[p]);
}

template <bool kSigned>
void sum_up(const SpConvTile& t, std::int32_t* sums) {
  static constexpr void (*kTiles[])(const SpConvTile&, std::int32_t*) = {
      accumulate<1, kSigned>,  accumulate<2, kSigned>,  accumulate<3, kSigned>,  accumulate<4, kSigned>,
      accumulate<5, kSigned>,  accumulate<6, kSigned>,  accumulate<7, kSigned>,  accumulate<8, kSigned>,
      accumulate<9, kSigned>,  accumulate<10, kSigned>, accumulate<11, kSigned>, accumulate<12, kSigned>,
      accumulate<13, kSigned>, accumulate<14, kSigned>};
  kTiles[t.pixels - 1](t, sums);
}

}  // namespace

void spconv_tile(const SpConvTile& t) noexcept {
  alignas(64) std::int32_t sums[kSpConvPixels * kSpConvChannels];
  t.input_signed ? sum_up<true>(t, sums) : sum_up<false>(t, sums);
  avx512vnni::qconv_finish_rows(t.finish, t.pixels, t.channels, sums);
}

}  // namespace pare::kernels::avx512vnni_vbmi
