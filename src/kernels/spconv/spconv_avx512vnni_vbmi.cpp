// vpermb picks the inputs of a slot for 16 channels, vpdpbusd multiplies and adds four of them a channel; indices and
// weights stay in registers for all pixels of the tile. False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/qconv/finish_quad_avx512vbmi.h"
#include "kernels/spconv/tile.h"

namespace pare::kernels::avx512vnni_vbmi {
namespace {

template <bool kSigned>
__m512i raw(__m512i bytes) {
  return kSigned ? _mm512_xor_si512(bytes, _mm512_set1_epi8(static_cast<char>(0x80))) : bytes;
}

/// Where the next block's slots lie.
struct Cursor {
  const std::uint8_t *slots, *data;
};

/// The sums of a block's 16 channels for P pixels, from `start` on.
template <int P, bool kSigned>
[[gnu::always_inline]] inline void accumulate(const SpConvTile& t, __m512i start, Cursor& at_block, __m512i (&acc)[P]) {
  const __mmask64 tail = t.tail == kSpConvGroup ? ~0ull : (1ull << t.tail) - 1;
  const std::uint8_t *slots = at_block.slots, *data = at_block.data;
#pragma GCC unroll 14
  for (int p = 0; p < P; ++p) acc[p] = start;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    const std::uint8_t* at[P];
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) at[p] = t.inputs[tap * kSpConvPointers + p];
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
  at_block = {slots, data};
}

/// Blocks of all 16 channels; what their epilogue needs goes from registers to memory.
template <int P, bool kSigned, QuadAdds kAdds>
void whole_blocks(const SpConvTile& t, std::int64_t blocks, Cursor& at) {
  const QuadFinish finish(t.finish);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t channel = block * kSpConvChannels;
    __m512i acc[P];
    accumulate<P, kSigned>(t, _mm512_loadu_si512(t.finish.bias + channel), at, acc);
    finish.finish<kAdds, P>(channel, acc);
  }
}

/// Blocks from channel `first` on by way of memory; the last may have fewer channels.
template <int P, bool kSigned>
void any_blocks(const SpConvTile& t, std::int64_t first, Cursor& at) {
  alignas(64) std::int32_t sums[P * kSpConvChannels];
  for (std::int64_t channel = first; channel < t.channels; channel += kSpConvChannels) {
    __m512i acc[P];
    accumulate<P, kSigned>(t, _mm512_setzero_si512(), at, acc);
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) _mm512_storeu_si512(sums + 16 * p, acc[p]);
    const std::int64_t left = t.channels - channel;
    avx512vnni::qconv_finish_rows(spconv_finish_from(t.finish, channel), P,
                                  static_cast<int>(left < kSpConvChannels ? left : kSpConvChannels), sums);
  }
}

template <int P, bool kSigned>
void tile(const SpConvTile& t) {
  Cursor at{t.slots, t.data};
  if (!t.bounded || !QuadFinish::has(t.finish)) return any_blocks<P, kSigned>(t, 0, at);
  const std::int64_t whole = t.channels / kSpConvChannels;
  const QuadAdds adds = QuadFinish::adds(t.finish);
  if (adds == QuadAdds::kNothing) whole_blocks<P, kSigned, QuadAdds::kNothing>(t, whole, at);
  if (adds == QuadAdds::kBytes) whole_blocks<P, kSigned, QuadAdds::kBytes>(t, whole, at);
  if (adds == QuadAdds::kBytesToRounded) whole_blocks<P, kSigned, QuadAdds::kBytesToRounded>(t, whole, at);
  any_blocks<P, kSigned>(t, whole * kSpConvChannels, at);
}

template <bool kSigned>
void by_pixels(const SpConvTile& t) {
  static constexpr void (*kTiles[])(const SpConvTile&) = {
      tile<1, kSigned>, tile<2, kSigned>,  tile<3, kSigned>,  tile<4, kSigned>,  tile<5, kSigned>,
      tile<6, kSigned>, tile<7, kSigned>,  tile<8, kSigned>,  tile<9, kSigned>,  tile<10, kSigned>,
      tile<11, kSigned>, tile<12, kSigned>, tile<13, kSigned>, tile<14, kSigned>};
  kTiles[t.pixels - 1](t);
}

}  // namespace

void spconv_tile(const SpConvTile& t) noexcept { t.input_signed ? by_pixels<true>(t) : by_pixels<false>(t); }

}  // namespace pare::kernels::avx512vnni_vbmi
