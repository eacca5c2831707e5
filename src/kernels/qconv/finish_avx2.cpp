// The epilogue of 16 channels, operation for operation that of finish.cpp.
#include <immintrin.h>

#include "kernels/qconv/tile.h"

namespace pare::kernels::avx2 {
namespace {

__m256i load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

__m256 residual(const QConvFinish& f, std::int64_t at) {
  if (f.residual_type == DType::kFloat32) return _mm256_loadu_ps(static_cast<const float*>(f.residual) + at);
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(f.residual) + at));
  const __m256i wide = f.residual_type == DType::kInt8 ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, _mm256_set1_epi32(f.residual_zero_point)));
}

/// 8 channels from `c` of row `row`, up to the clamp.
__m256 finish8(const QConvFinish& f, int row, std::int64_t c, __m256i acc) {
  acc = _mm256_add_epi32(acc, load(f.bias + c));
  if (f.weight_zero_point) {
    acc = _mm256_sub_epi32(acc, _mm256_mullo_epi32(load(f.weight_zero_point + c), _mm256_set1_epi32(f.row_sum[row])));
  }
  __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), _mm256_loadu_ps(f.multiplier + c));
  if (f.residual_type != DType::kUndefined) {
    v = _mm256_add_ps(v, _mm256_mul_ps(residual(f, row * f.stride + c), _mm256_set1_ps(f.residual_multiplier)));
  }
  return _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(f.lo)), _mm256_set1_ps(f.hi));
}

}  // namespace

void qconv_finish16(const QConvFinish& f, int row, std::int64_t first, const std::int32_t* acc) noexcept {
  const __m256 v0 = finish8(f, row, first, load(acc)), v1 = finish8(f, row, first + 8, load(acc + 8));
  const std::int64_t at = row * f.stride + first;
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

}  // namespace pare::kernels::avx2
