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

__m256 residual(const QConvFinish& f, std::int64_t at) {
  if (f.residual_type == DType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(f.residual) + at);
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(f.residual) + at));
  const __m256i wide = f.residual_type == DType::kInt8 ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, _mm256_set1_epi32(f.residual_zero_point)));
}

/// 8 channels from `c` of row `row`, up to the clamp.
__m256 finish8(const QConvFinish& f, int row, int c, const std::int32_t* sums) {
  const auto load = [c](const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + c)); };
  __m256i acc = _mm256_add_epi32(load(sums), load(f.bias));
  if (f.weight_zero_point) {
    acc = _mm256_sub_epi32(acc, _mm256_mullo_epi32(load(f.weight_zero_point), _mm256_set1_epi32(f.row_sum[row])));
  }
  __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(f.multiplier + c));
  if (f.residual_type != DType::kUndefined) {
    v = _mm256_add_ps(v, _mm256_mul_ps(residual(f, row * f.stride + c), _mm256_set1_ps(f.residual_multiplier)));
  }
  return _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(f.lo)), _mm256_set1_ps(f.hi));
}

void finish_row(const QConvFinish& f, int row, const std::int32_t* sums) {
  const __m256 v0 = finish8(f, row, 0, sums), v1 = finish8(f, row, 8, sums);
  const std::int64_t at = row * f.stride;
  if (f.output_type == DType::kFloat32) {
    _mm256_storeu_ps(static_cast<float*>(f.output) + at, v0);
    _mm256_storeu_ps(static_cast<float*>(f.output) + at + 8, v1);
    return;
  }
  const __m256i zero = _mm256_set1_epi32(f.out_zero_point);
  const __m256i q0 = _mm256_add_epi32(_mm256_cvtps_epi32(v0), zero), q1 = _mm256_add_epi32(_mm256_cvtps_epi32(v1), zero);
  const __m256i q16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(q0, q1), 0xD8);
  const __m128i low = _mm256_castsi256_si128(q16), high = _mm256_extracti128_si256(q16, 1);
  const __m128i q8 = f.output_type == DType::kInt8 ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<std::uint8_t*>(f.output) + at), q8);
}

template <int R>
void tile(const QConvTile& t) {
  alignas(32) std::int32_t sums[R * 16];
  accumulate<R>(t, sums);
  for (int r = 0; r < R; ++r) {
    if (t.channels == 16) finish_row(t.finish, r, sums + 16 * r);
    else qconv_finish(t.finish, r, t.channels, sums + 16 * r);
  }
}

}  // namespace

void qconv_tile(const QConvTile& t) noexcept {
  static constexpr void (*kTiles[])(const QConvTile&) = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};
  kTiles[t.rows - 1](t);
}

}  // namespace pare::kernels::avx2
