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

/// Where the next block's windows and slots lie.
struct Cursor {
  const std::uint32_t* counts;
  const SpConvWindow* windows;
  const std::uint8_t *data, *ahead;
};

/// What is known of windows when compiling, so that loops need fewer registers and all end alike. kSlots: of each
/// window of a line that is at least as long; 0: as many as the window says. kRegular: windows are the groups of 64
/// inputs.
template <int kSlotsOfAll, bool kGroups>
struct Windows {
  static constexpr int kSlots = kSlotsOfAll;
  static constexpr bool kRegular = kGroups;
};

/// The sums of a block's 16 channels for P pixels, from `start` on.
template <int P, bool kSigned, class Known>
[[gnu::always_inline]] inline void accumulate(const SpConvTiles& t, const std::uint8_t* const* inputs, __m512i start,
                                              Cursor& at_block, __m512i (&acc)[P]) {
  const bool masked = Known::kSlots == 0 && t.length < kSpConvWindow;
  const __mmask64 whole = masked ? (1ull << t.length) - 1 : ~0ull;
  const std::uint32_t* counts = at_block.counts;
  const SpConvWindow* windows = at_block.windows;
  const std::uint8_t *data = at_block.data, *ahead = at_block.ahead;
#pragma GCC unroll 14
  for (int p = 0; p < P; ++p) acc[p] = start;
  for (std::int64_t line = 0; line < t.lines; ++line) {
    const std::int64_t count = Known::kRegular ? t.length / kSpConvWindow : *counts++;
    const SpConvWindow* const end = windows + count;
    if (ahead)  // apart from the loop below, which has no register to spare
      for (std::int64_t window = 0; window < count; ++window, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
    const std::uint8_t* at[P];
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) at[p] = inputs[line * kSpConvPointers + p];
    for (std::int64_t window = 0; Known::kRegular ? window < count : windows < end; ++window) {
      const std::int64_t from = Known::kRegular ? window * kSpConvWindow : windows->start;
      const int slots = Known::kSlots > 0 ? Known::kSlots : windows->slots;
      __m512i x[P];
      if (!masked) {  // a masked load costs as much as a permutation
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(in_register(_mm512_loadu_si512(at[p] + from)));
      } else {
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) x[p] = raw<kSigned>(_mm512_maskz_loadu_epi8(whole, at[p] + from));
      }
#pragma GCC unroll 2
      for (int slot = 0; slot < slots; ++slot, data += kSpConvSlot) {
        const __m512i index = _mm512_loadu_si512(data), weight = _mm512_loadu_si512(data + kSpConvSlot / 2);
#pragma GCC unroll 14
        for (int p = 0; p < P; ++p) acc[p] = _mm512_dpbusd_epi32(acc[p], _mm512_permutexvar_epi8(index, x[p]), weight);
      }
      if (!Known::kRegular || Known::kSlots == 0) ++windows;
    }
  }
  at_block = {counts, windows, data, ahead};
}

const std::uint8_t* const* inputs_of(const SpConvTiles& t, int tile) {
  return t.inputs + tile * t.lines * kSpConvPointers;
}

Cursor cursor_of(const SpConvTiles& t, int tile) {
  return {t.counts, t.windows, t.data, t.ahead ? t.ahead + tile * t.window_count * 64 : nullptr};
}

/// Blocks from channel `first` on by way of memory; the last may have fewer channels.
template <int P, bool kSigned, class Known>
void any_blocks(const SpConvTiles& t, int tile, std::int64_t first, Cursor& at) {
  alignas(64) std::int32_t sums[P * kSpConvChannels];
  for (std::int64_t channel = first; channel < t.channels; channel += kSpConvChannels) {
    __m512i acc[P];
    accumulate<P, kSigned, Known>(t, inputs_of(t, tile), _mm512_setzero_si512(), at, acc);
#pragma GCC unroll 14
    for (int p = 0; p < P; ++p) _mm512_storeu_si512(sums + 16 * p, acc[p]);
    const std::int64_t left = t.channels - channel;
    avx512vnni::qconv_finish_rows(qconv_finish_moved(t.finish, tile * P, channel), P,
                                  static_cast<int>(left < kSpConvChannels ? left : kSpConvChannels), sums);
  }
}

/// Blocks of all 16 channels, what their epilogue needs going from registers to memory, and the rest.
template <int P, bool kSigned, class Known, QuadAdds kAdds>
void whole_blocks(const SpConvTiles& t) {
  QuadFinish finish(t.finish);
  const std::int64_t whole = t.channels / kSpConvChannels * kSpConvChannels;
  for (int tile = 0; tile < t.tiles; ++tile) {
    Cursor at = cursor_of(t, tile);
    for (std::int64_t channel = 0; channel < whole; channel += kSpConvChannels) {
      __m512i acc[P];
      accumulate<P, kSigned, Known>(t, inputs_of(t, tile), _mm512_loadu_si512(t.finish.bias + channel), at, acc);
      asm("" : "+m"(finish));  // gcc would keep its constants in registers that the sums need, and spill inputs
      finish.finish<kAdds, P>(tile * P, channel, acc);
    }
    if (whole < t.channels) any_blocks<P, kSigned, Known>(t, tile, whole, at);
  }
}

template <int P, bool kSigned, class Known>
void tiles(const SpConvTiles& t) {
  if (!t.bounded || !QuadFinish::has(t.finish)) {
    for (int tile = 0; tile < t.tiles; ++tile) {
      Cursor at = cursor_of(t, tile);
      any_blocks<P, kSigned, Known>(t, tile, 0, at);
    }
    return;
  }
  const QuadAdds adds = QuadFinish::adds(t.finish);
  if (adds == QuadAdds::kNothing) whole_blocks<P, kSigned, Known, QuadAdds::kNothing>(t);
  if (adds == QuadAdds::kBytes) whole_blocks<P, kSigned, Known, QuadAdds::kBytes>(t);
  if (adds == QuadAdds::kBytesToRounded) whole_blocks<P, kSigned, Known, QuadAdds::kBytesToRounded>(t);
}

template <bool kSigned, class Known>
void by_pixels(const SpConvTiles& t) {
  [&]<int... kBefore>(std::integer_sequence<int, kBefore...>) {
    static constexpr void (*kByPixels[])(const SpConvTiles&) = {tiles<kBefore + 1, kSigned, Known>...};
    kByPixels[t.pixels - 1](t);
  }
  (std::make_integer_sequence<int, kSpConvPixels>());
}

}  // namespace

void spconv_tiles(const SpConvTiles& t) noexcept {
  if (t.input_signed || t.length < kSpConvWindow) {
    t.input_signed ? by_pixels<true, Windows<0, false>>(t) : by_pixels<false, Windows<0, false>>(t);
  } else if (t.uniform == 2) {
    t.regular ? by_pixels<false, Windows<2, true>>(t) : by_pixels<false, Windows<2, false>>(t);
  } else if (t.regular) {
    t.uniform == 1 ? by_pixels<false, Windows<1, true>>(t) : by_pixels<false, Windows<0, true>>(t);
  } else {
    by_pixels<false, Windows<0, false>>(t);
  }
}

void spconv_arrange(const SpConvArrange& a) noexcept {
  const __mmask64 some = a.channels == kSpConvSpan ? ~0ull : (1ull << a.channels) - 1;
  const __m512i order = _mm512_loadu_si512(a.order);
  if (a.bytes == 1) {
    const auto* from = static_cast<const std::uint8_t*>(a.from);
    auto* to = static_cast<std::uint8_t*>(a.to);
    if (a.channels == kSpConvSpan) {
      for (int row = 0; row < a.rows; ++row, from += a.from_stride, to += a.to_stride)
        _mm512_storeu_si512(to, _mm512_permutexvar_epi8(order, _mm512_loadu_si512(from)));
      return;
    }
    for (int row = 0; row < a.rows; ++row, from += a.from_stride, to += a.to_stride)
      _mm512_mask_storeu_epi8(to, some, _mm512_permutexvar_epi8(order, _mm512_maskz_loadu_epi8(some, from)));
    return;
  }
  // Of each 16 results: two of the four vectors at a time, chosen by bit 5 of where they are.
  __m512i index[4];
  __mmask16 upper[4];
  for (int i = 0; i < 4; ++i) {
    index[i] = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a.order + 16 * i)));
    upper[i] = _mm512_test_epi32_mask(index[i], _mm512_set1_epi32(32));
  }
  const auto* from = static_cast<const std::int32_t*>(a.from);
  auto* to = static_cast<std::int32_t*>(a.to);
  for (int row = 0; row < a.rows; ++row, from += a.from_stride, to += a.to_stride) {
    __m512i x[4];
    for (int i = 0; i < 4; ++i) x[i] = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(some >> 16 * i), from + 16 * i);
    for (int i = 0; i < 4; ++i)
      _mm512_mask_storeu_epi32(to + 16 * i, static_cast<__mmask16>(some >> 16 * i),
                               _mm512_mask_blend_epi32(upper[i], _mm512_permutex2var_epi32(x[0], index[i], x[1]),
                                                       _mm512_permutex2var_epi32(x[2], index[i], x[3])));
  }
}

}  // namespace pare::kernels::avx512vnni_vbmi
