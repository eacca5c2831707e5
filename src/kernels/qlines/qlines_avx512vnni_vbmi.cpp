// Six pixels by up to four blocks of 16 channels in 24 sums: four bytes of a line are broadcast from memory, a block's
// weights are read once for all pixels.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstring>

#include "kernels/qconv/finish_quad_avx512vbmi.h"
#include "kernels/qlines/tile.h"

namespace pare::kernels::avx512vnni_vbmi {
namespace {

constexpr int kPixels = 6, kBlocks = 4;  ///< at a time

[[gnu::always_inline]] inline __m512i four(const std::uint8_t* from) {
  std::int32_t bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  return _mm512_set1_epi32(bytes);
}

/// Adds the products of P pixels from `x` on and N blocks; `weights` of the first block.
template <int P, int N>
[[gnu::always_inline]] inline void accumulate(const QLinesLine& t, std::int64_t x, const std::int8_t* weights,
                                              __m512i (&acc)[N][P]) {
  const std::int64_t block_bytes = t.kh * t.steps * kQLinesChannels * 4;
  for (std::int64_t ky = 0; ky < t.kh; ++ky) {
    const std::uint8_t* line = t.lines[ky] + x * t.pixel_bytes;
    for (std::int64_t step = 0; step < t.steps; ++step, line += 4, weights += kQLinesChannels * 4) {
      __m512i w[N];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) w[n] = _mm512_loadu_si512(weights + n * block_bytes);
#pragma GCC unroll 6
      for (int p = 0; p < P; ++p) {
        const __m512i bytes = four(line + p * t.pixel_bytes);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) acc[n][p] = _mm512_dpbusd_epi32(acc[n][p], bytes, w[n]);
      }
    }
  }
}

const std::int8_t* weights_of(const QLinesLine& t, std::int64_t block) {
  return t.weights + block * t.kh * t.steps * kQLinesChannels * 4;
}

/// N blocks of all 16 channels; sums go to the epilogue by way of memory.
template <int P, int N, QuadAdds kAdds>
void whole(const QLinesLine& t, const QuadFinish& finish, std::int64_t x, std::int64_t block) {
  __m512i acc[N][P];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 6
    for (int p = 0; p < P; ++p) acc[n][p] = _mm512_loadu_si512(t.finish.bias + (block + n) * kQLinesChannels);
  accumulate<P, N>(t, x, weights_of(t, block), acc);
  // Read from the registers by a loop over blocks, gcc would store each sum whenever it changes.
  alignas(64) std::int32_t sums[N * P * kQLinesChannels];
#pragma GCC unroll 4
  for (int n = 0; n < N; ++n)
#pragma GCC unroll 6
    for (int p = 0; p < P; ++p) _mm512_store_si512(sums + (n * P + p) * kQLinesChannels, acc[n][p]);
  for (int n = 0; n < N; ++n) {
    __m512i one[P];
#pragma GCC unroll 6
    for (int p = 0; p < P; ++p) one[p] = _mm512_load_si512(sums + (n * P + p) * kQLinesChannels);
    finish.finish<kAdds, P>(x, (block + n) * kQLinesChannels, one);
  }
}

template <QuadAdds kAdds, int P>
void whole_blocks(const QLinesLine& t, const QuadFinish& finish, std::int64_t x) {
  const std::int64_t blocks = t.channels / kQLinesChannels;
  std::int64_t block = 0;
  for (; block + kBlocks <= blocks; block += kBlocks) whole<P, kBlocks, kAdds>(t, finish, x, block);
  if (blocks - block == 3) whole<P, 3, kAdds>(t, finish, x, block);
  if (blocks - block == 2) whole<P, 2, kAdds>(t, finish, x, block);
  if (blocks - block == 1) whole<P, 1, kAdds>(t, finish, x, block);
}

/// One pixel and blocks from `block` on by way of memory; the last may have fewer channels.
void any_blocks(const QLinesLine& t, std::int64_t x, std::int64_t block) {
  alignas(64) std::int32_t sums[kQLinesChannels];
  for (; block * kQLinesChannels < t.channels; ++block) {
    __m512i acc[1][1] = {};
    accumulate<1, 1>(t, x, weights_of(t, block), acc);
    _mm512_store_si512(sums, acc[0][0]);
    const std::int64_t first = block * kQLinesChannels, left = t.channels - first;
    avx512vnni::qconv_finish_rows(qconv_finish_moved(t.finish, x, first), 1,
                                  static_cast<int>(left < kQLinesChannels ? left : kQLinesChannels), sums);
  }
}

template <QuadAdds kAdds>
void whole_pixels(const QLinesLine& t) {
  const QuadFinish finish(t.finish);
  std::int64_t x = 0;
  for (; x + kPixels <= t.pixels; x += kPixels) whole_blocks<kAdds, kPixels>(t, finish, x);
  const std::int64_t left = t.pixels - x;
  if (left >= 4) whole_blocks<kAdds, 4>(t, finish, x), x += 4;
  for (; x < t.pixels; ++x) whole_blocks<kAdds, 1>(t, finish, x);
}

}  // namespace

void qlines_line(const QLinesLine& t) noexcept {
  const bool quads = t.bounded && QuadFinish::has(t.finish);
  const std::int64_t whole = quads ? t.channels / kQLinesChannels : 0;
  if (whole > 0) {
    const QuadAdds adds = QuadFinish::adds(t.finish);
    if (adds == QuadAdds::kNothing) whole_pixels<QuadAdds::kNothing>(t);
    if (adds == QuadAdds::kBytes) whole_pixels<QuadAdds::kBytes>(t);
    if (adds == QuadAdds::kBytesToRounded) whole_pixels<QuadAdds::kBytesToRounded>(t);
  }
  if (whole * kQLinesChannels == t.channels) return;
  for (std::int64_t x = 0; x < t.pixels; ++x) any_blocks(t, x, whole);
}

}  // namespace pare::kernels::avx512vnni_vbmi
