// vpermb picks the inputs of a slot for 16 channels, vpdpbusd multiplies and adds four of them a channel; indices and
// weights stay in registers for all pixels of the tile. False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <utility>

#include "kernels/qconv/finish_quad_avx512vbmi.h"
#include "kernels/spconv/tile.h"

namespace pare::kernels::avx512vnni_vbmi {
namespace {

template <bool kSigned>
__m512i raw(__m512i bytes) {
  return kSigned ? _mm512_xor_si512(bytes, _mm512_set1_epi8(static_cast<char>(0x80))) : bytes;
}

/// Keeps gcc from loading it at each of its uses, and from running out of registers then.
[[gnu::always_inline]] inline __m512i in_register(__m512i x) {
  asm("" : "+v"(x));
  return x;
}

/// Where the next block's slots lie.
struct Cursor {
  const std::uint8_t *slots, *data, *ahead;
};

/// The sums of a block's 16 channels for P pixels, from `start` on. kSlots: of each tap and whole group, so that no
/// loop over slots ends otherwise than the one before; 0: as many as the table says.
template <int P, bool kSigned, int kSlots>
[[gnu::always_inline]] inline void accumulate(const SpConvTiles& t, const std::uint8_t* const* inputs, __m512i start,
                                              Cursor& at_block, __m512i (&acc)[P]) {
  const __mmask64 tail = t.tail == kSpConvGroup ? ~0ull : (1ull << t.tail) - 1;
  const std::uint8_t *slots = at_block.slots, *data = at_block.data, *ahead = at_block.ahead;
#pragma GCC unroll 14
  for (int p = 0; p < P; ++p) acc[p] = start;
  for (std::int64_t tap = 0; tap < t.taps; ++tap) {
    if (ahead)  // apart from the loop below, which has no register to spare
      for (std::int64_t g = 0; g < t.groups; ++g, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
    const std::uint8_t* at[P];
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) at[p] = inputs[tap * kSpConvPointers + p];
    for (std::int64_t g = 0; g < t.groups; ++g) {
      const int count = kSlots > 0 ? kSlots : *slots++;
      if (count == 0) continue;
      __m512i x[P];
      if (kSlots > 0 || g + 1 < t.groups || t.tail == kSpConvGroup) {  // a masked load costs as much as a permutation
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(in_register(_mm512_loadu_si512(at[p] + g * kSpConvGroup)));
      } else {
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(_mm512_maskz_loadu_epi8(tail, at[p] + g * kSpConvGroup));
      }
#pragma GCC unroll 2
      for (int slot = 0; slot < count; ++slot, data += kSpConvSlot) {
        const __m512i index = _mm512_loadu_si512(data), weight = _mm512_loadu_si512(data + kSpConvSlot / 2);
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) acc[p] = _mm512_dpbusd_epi32(acc[p], _mm512_permutexvar_epi8(index, x[p]), weight);
      }
    }
  }
  at_block = {slots, data, ahead};
}

const std::uint8_t* const* inputs_of(const SpConvTiles& t, int tile) {
  return t.inputs + tile * t.taps * kSpConvPointers;
}

Cursor cursor_of(const SpConvTiles& t, int tile) {
  const std::int64_t blocks = (t.channels + kSpConvChannels - 1) / kSpConvChannels;
  return {t.slots, t.data, t.ahead ? t.ahead + tile * blocks * t.taps * t.groups * 64 : nullptr};
}

/// Blocks from channel `first` on by way of memory; the last may have fewer channels.
template <int P, bool kSigned, int kSlots>
void any_blocks(const SpConvTiles& t, int tile, std::int64_t first, Cursor& at) {
  alignas(64) std::int32_t sums[P * kSpConvChannels];
  for (std::int64_t channel = first; channel < t.channels; channel += kSpConvChannels) {
    __m512i acc[P];
    accumulate<P, kSigned, kSlots>(t, inputs_of(t, tile), _mm512_setzero_si512(), at, acc);
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) _mm512_storeu_si512(sums + 16 * p, acc[p]);
    const std::int64_t left = t.channels - channel;
    avx512vnni::qconv_finish_rows(qconv_finish_moved(t.finish, tile * P, channel), P,
                                  static_cast<int>(left < kSpConvChannels ? left : kSpConvChannels), sums);
  }
}

/// Blocks of all 16 channels, what their epilogue needs going from registers to memory, and the rest.
template <int P, bool kSigned, int kSlots, QuadAdds kAdds>
void whole_blocks(const SpConvTiles& t) {
  QuadFinish finish(t.finish);
  const std::int64_t whole = t.channels / kSpConvChannels * kSpConvChannels;
  for (int tile = 0; tile < t.tiles; ++tile) {
    Cursor at = cursor_of(t, tile);
    for (std::int64_t channel = 0; channel < whole; channel += kSpConvChannels) {
      __m512i acc[P];
      accumulate<P, kSigned, kSlots>(t, inputs_of(t, tile), _mm512_loadu_si512(t.finish.bias + channel), at, acc);
      asm("" : "+m"(finish));  // gcc would keep its constants in registers that the sums need, and spill inputs
      finish.finish<kAdds, P>(tile * P, channel, acc);
    }
    if (whole < t.channels) any_blocks<P, kSigned, kSlots>(t, tile, whole, at);
  }
}

template <int P, bool kSigned, int kSlots>
void tiles(const SpConvTiles& t) {
  if (!t.bounded || !QuadFinish::has(t.finish)) {
    for (int tile = 0; tile < t.tiles; ++tile) {
      Cursor at = cursor_of(t, tile);
      any_blocks<P, kSigned, kSlots>(t, tile, 0, at);
    }
    return;
  }
  const QuadAdds adds = QuadFinish::adds(t.finish);
  if (adds == QuadAdds::kNothing) whole_blocks<P, kSigned, kSlots, QuadAdds::kNothing>(t);
  if (adds == QuadAdds::kBytes) whole_blocks<P, kSigned, kSlots, QuadAdds::kBytes>(t);
  if (adds == QuadAdds::kBytesToRounded) whole_blocks<P, kSigned, kSlots, QuadAdds::kBytesToRounded>(t);
}

template <bool kSigned, int kSlots>
void by_pixels(const SpConvTiles& t) {
  [&]<int... kBefore>(std::integer_sequence<int, kBefore...>) {
    static constexpr void (*kByPixels[])(const SpConvTiles&) = {tiles<kBefore + 1, kSigned, kSlots>...};
    kByPixels[t.pixels - 1](t);
  }
  (std::make_integer_sequence<int, kSpConvPixels>());
}

}  // namespace

void spconv_tiles(const SpConvTiles& t) noexcept {
  const int slots = t.tail == kSpConvGroup ? t.uniform : 0;
  if (t.input_signed) return by_pixels<true, 0>(t);
  if (slots == 1) return by_pixels<false, 1>(t);
  if (slots == 2) return by_pixels<false, 2>(t);
  by_pixels<false, 0>(t);
}

}  // namespace pare::kernels::avx512vnni_vbmi
