// AVX2 without VNNI: inputs as s16 and weights widened to s16, vpmaddwd adds pairs in 32 bits and cannot overflow
// (255 · 255 · 2 < 2^31). 6 rows × 16 channels: 12 accumulators, 2 weights, 1 broadcast, 1 product.
#include <immintrin.h>

#include <cstring>

#include "kernels/qconv/tile.h"

namespace pare::kernels::avx2 {
namespace {

/// sums: [R][16]. The accumulators are a local array that only unrolled code touches, so that they stay in registers.
template <int R>
void accumulate(const QConvTile& t, std::int32_t* sums) {
  __m256i acc[R][2];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  const char* a = static_cast<const char*>(t.input);
  const std::int64_t stride = t.input_stride;
  const std::int8_t* w = t.weights;
  for (std::int64_t k = 0; k < t.steps; ++k, w += 32, a += 4) {
    const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
    const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + 16)));
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      std::int32_t pair;
      std::memcpy(&pair, a + r * stride, 4);
      const __m256i x = _mm256_set1_epi32(pair);
      acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(x, w0));
      acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(x, w1));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + 16 * r), acc[r][0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(sums + 16 * r + 8), acc[r][1]);
  }
}

template <int R>
void tile(const QConvTile& t) {
  alignas(32) std::int32_t sums[R * 16];
  accumulate<R>(t, sums);
  if (t.channels == 16) {
    qconv_finish16(t.finish, R, 0, sums);
    return;
  }
  for (int r = 0; r < R; ++r) qconv_finish(t.finish, r, t.channels, sums + 16 * r);
}

}  // namespace

void qconv_tile(const QConvTile& t) noexcept {
  static constexpr void (*kTiles[])(const QConvTile&) = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};
  kTiles[t.rows - 1](t);
}

}  // namespace pare::kernels::avx2
