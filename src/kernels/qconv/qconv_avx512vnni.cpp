// AVX-512 VNNI: vpdpbusd multiplies u8 inputs with s8 weights, four at a time into exact int32 lanes; the zero point is
// in the bias already. 14 rows × 16 channels: 14 accumulators hide the latency, and 14 divides 56², 28², 14² and 2·7.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <cstring>

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

__m512 residual(const QConvFinish& f, std::int64_t at) {
  if (f.residual_type == DType::kFloat32) return _mm512_loadu_ps(static_cast<const float*>(f.residual) + at);
  const __m128i bytes =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(f.residual) + at));
  const __m512i wide = f.residual_type == DType::kInt8 ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(f.residual_zero_point)));
}

void finish_row(const QConvFinish& f, int row, const std::int32_t* sums) {
  __m512i acc = _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_loadu_si512(f.bias));
  if (f.weight_zero_point) {
    acc = _mm512_sub_epi32(
        acc, _mm512_mullo_epi32(_mm512_loadu_si512(f.weight_zero_point), _mm512_set1_epi32(f.row_sum[row])));
  }
  __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), _mm512_loadu_ps(f.multiplier));
  const std::int64_t at = row * f.stride;
  if (f.residual_type != DType::kUndefined) {
    v = _mm512_add_ps(v, _mm512_mul_ps(residual(f, at), _mm512_set1_ps(f.residual_multiplier)));
  }
  v = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(f.lo)), _mm512_set1_ps(f.hi));
  if (f.output_type == DType::kFloat32) {
    _mm512_storeu_ps(static_cast<float*>(f.output) + at, v);
    return;
  }
  const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(f.out_zero_point));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<std::uint8_t*>(f.output) + at), _mm512_cvtepi32_epi8(q));
}

template <int R>
void tile(const QConvTile& t) {
  alignas(64) std::int32_t sums[R * 16];
  accumulate<R>(t, sums);
  for (int r = 0; r < R; ++r) {
    if (t.channels == 16)
      finish_row(t.finish, r, sums + 16 * r);
    else
      qconv_finish(t.finish, r, t.channels, sums + 16 * r);
  }
}

}  // namespace

void qconv_tile(const QConvTile& t) noexcept {
  static constexpr void (*kTiles[])(const QConvTile&) = {tile<1>,  tile<2>,  tile<3>,  tile<4>, tile<5>,
                                                         tile<6>,  tile<7>,  tile<8>,  tile<9>, tile<10>,
                                                         tile<11>, tile<12>, tile<13>, tile<14>};
  kTiles[t.rows - 1](t);
}

}  // namespace pare::kernels::avx512vnni
