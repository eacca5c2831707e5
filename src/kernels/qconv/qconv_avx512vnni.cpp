// AVX-512 VNNI: vpdpbusd multiplies u8 inputs with s8 weights, four at a time into exact int32 lanes; the zero point is
// in the bias already. 14 rows × 16 channels: 14 accumulators hide the latency, and 14 divides 56², 28², 14² and 2·7.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstring>

#include "kernels/qconv/finish_avx512.h"
#include "kernels/qconv/tile.h"

namespace pare::kernels::avx512vnni {
namespace {

/// sums: [R][16]. The accumulators are a local array that only unrolled code touches, so that they stay in registers.
template <int R>
void accumulate(const QConvTile& t, std::int32_t* sums) {
  __m512i acc[R];
  const char* a = static_cast<const char*>(t.input);
#pragma GCC unroll 14
  for (int r = 0; r < R; ++r) acc[r] = _mm512_setzero_si512();
  const std::int8_t* w = t.weights;
  for (std::int64_t k = 0; k < t.steps; ++k, w += 64, a += 4) {
    const __m512i weights = _mm512_loadu_si512(w);
    const char* row = a;
#pragma GCC unroll 14
    for (int r = 0; r < R; ++r, row += t.input_stride) {
      std::int32_t four;
      std::memcpy(&four, row, 4);
      acc[r] = _mm512_dpbusd_epi32(acc[r], _mm512_set1_epi32(four), weights);
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < R; ++r) _mm512_storeu_si512(sums + 16 * r, acc[r]);
}

template <int R>
void tile(const QConvTile& t) {
  alignas(64) std::int32_t sums[R * 16];
  accumulate<R>(t, sums);
  qconv_finish_rows(t.finish, R, t.channels, sums);
}

}  // namespace

void qconv_finish_rows(const QConvFinish& f, int rows, int channels, const std::int32_t* sums) noexcept {
  finish_rows(f, rows, channels, sums);
}

void qconv_tile(const QConvTile& t) noexcept {
  static constexpr void (*kTiles[])(const QConvTile&) = {tile<1>,  tile<2>,  tile<3>,  tile<4>, tile<5>,
                                                         tile<6>,  tile<7>,  tile<8>,  tile<9>, tile<10>,
                                                         tile<11>, tile<12>, tile<13>, tile<14>};
  kTiles[t.rows - 1](t);
}

}  // namespace pare::kernels::avx512vnni
