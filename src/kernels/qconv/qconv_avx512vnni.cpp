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

/// The epilogue of up to 16 channels, with what is the same for all rows in registers.
struct Finish {
  const QConvFinish f;  // a copy: stores of bytes might alias the caller's
  __mmask16 mask;
  __m512 multiplier, lo, hi;
  __m512i bias, zero_point;

  Finish(const QConvFinish& given, int channels)
      : f(given),
        mask(static_cast<__mmask16>((1u << channels) - 1)),
        multiplier(_mm512_maskz_loadu_ps(mask, f.multiplier)),
        lo(_mm512_set1_ps(f.lo)),
        hi(_mm512_set1_ps(f.hi)),
        bias(_mm512_maskz_loadu_epi32(mask, f.bias)),
        zero_point(_mm512_set1_epi32(f.out_zero_point)) {}

  __m512 residual(std::int64_t at) const {
    if (f.residual_type == DType::kFloat32)
      return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(f.residual) + at);
    const __m128i bytes = _mm_maskz_loadu_epi8(mask, static_cast<const std::uint8_t*>(f.residual) + at);
    const __m512i wide = f.residual_type == DType::kInt8 ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(f.residual_zero_point)));
  }

  /// kPlain: no residual, no zero points of weights, 8-bit output.
  template <bool kPlain>
  void row(int r, __m512i sums) const {
    const std::int64_t at = r * f.stride;
    __m512i acc = _mm512_add_epi32(sums, bias);
    if (!kPlain && f.weight_zero_point) {
      const __m512i zero = _mm512_maskz_loadu_epi32(mask, f.weight_zero_point);
      acc = _mm512_sub_epi32(acc, _mm512_mullo_epi32(zero, _mm512_set1_epi32(f.row_sum[r])));
    }
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), multiplier);
    if (!kPlain && f.residual_type != DType::kUndefined)
      v = _mm512_add_ps(v, _mm512_mul_ps(residual(at), _mm512_set1_ps(f.residual_multiplier)));
    v = _mm512_min_ps(_mm512_max_ps(v, lo), hi);
    if (!kPlain && f.output_type == DType::kFloat32) {
      _mm512_mask_storeu_ps(static_cast<float*>(f.output) + at, mask, v);
      return;
    }
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(v), zero_point);
    const __m128i bytes = _mm512_cvtepi32_epi8(q);  // a conversion straight into memory is microcoded
    auto* out = reinterpret_cast<__m128i*>(static_cast<std::uint8_t*>(f.output) + at);
    if (mask == 0xFFFF)
      _mm_storeu_si128(out, bytes);
    else
      _mm_mask_storeu_epi8(out, mask, bytes);
  }

  template <bool kPlain>
  void rows(int count, const std::int32_t* sums) const {
    for (int r = 0; r < count; ++r) row<kPlain>(r, _mm512_loadu_si512(sums + 16 * r));
  }
};

template <int R>
void tile(const QConvTile& t) {
  alignas(64) std::int32_t sums[R * 16];
  accumulate<R>(t, sums);
  qconv_finish_rows(t.finish, R, t.channels, sums);
}

}  // namespace

void qconv_finish_rows(const QConvFinish& f, int rows, int channels, const std::int32_t* sums) noexcept {
  const Finish finish(f, channels);
  if (f.residual_type == DType::kUndefined && !f.weight_zero_point && f.output_type != DType::kFloat32)
    finish.rows<true>(rows, sums);
  else
    finish.rows<false>(rows, sums);
}

void qconv_tile(const QConvTile& t) noexcept {
  static constexpr void (*kTiles[])(const QConvTile&) = {tile<1>,  tile<2>,  tile<3>,  tile<4>, tile<5>,
                                                         tile<6>,  tile<7>,  tile<8>,  tile<9>, tile<10>,
                                                         tile<11>, tile<12>, tile<13>, tile<14>};
  kTiles[t.rows - 1](t);
}

}  // namespace pare::kernels::avx512vnni
