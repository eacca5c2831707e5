// The epilogue of 16 channels, operation for operation that of finish.cpp; what does not change from row to row is
// loaded once.
#include <immintrin.h>

#include "kernels/qconv/tile.h"

namespace pare::kernels::avx2 {
namespace {

enum class Residual { kNone, k8Bit, kFloat };

__m256i load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

/// 8 channels from `c` on.
template <Residual kResidual>
struct Lanes {
  __m256i bias, weight_zero_point;
  __m256 multiplier;

  Lanes(const QConvFinish& f, std::int64_t c)
      : bias(load(f.bias + c)),
        weight_zero_point(f.weight_zero_point ? load(f.weight_zero_point + c) : _mm256_setzero_si256()),
        multiplier(_mm256_loadu_ps(f.multiplier + c)) {}

  static __m256 residual(const QConvFinish& f, std::int64_t at) {
    if constexpr (kResidual == Residual::kFloat) return _mm256_loadu_ps(static_cast<const float*>(f.residual) + at);
    const __m128i bytes =
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(f.residual) + at));
    const __m256i wide = f.residual_type == DType::kInt8 ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(wide, _mm256_set1_epi32(f.residual_zero_point)));
  }

  /// Up to the clamp, of the channels from `c` on.
  __m256 value(const QConvFinish& f, int row, std::int64_t c, const std::int32_t* sums) const {
    __m256i acc = _mm256_add_epi32(load(sums), bias);
    if (f.weight_zero_point)
      acc = _mm256_sub_epi32(acc, _mm256_mullo_epi32(weight_zero_point, _mm256_set1_epi32(f.row_sum[row])));
    __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), multiplier);
    if (f.first_multiplier != 0) {
      const __m256 own = _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(f.first_lo)), _mm256_set1_ps(f.first_hi));
      v = _mm256_mul_ps(_mm256_round_ps(own, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                        _mm256_set1_ps(f.first_multiplier));
    }
    if constexpr (kResidual != Residual::kNone) {
      v = _mm256_add_ps(v, _mm256_mul_ps(residual(f, row * f.residual_stride + c), _mm256_set1_ps(f.residual_multiplier)));
    }
    return _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(f.lo)), _mm256_set1_ps(f.hi));
  }
};

__m128i quantize(__m256 v0, __m256 v1, __m256i zero, bool is_signed) {
  const __m256i q0 = _mm256_add_epi32(_mm256_cvtps_epi32(v0), zero),
                q1 = _mm256_add_epi32(_mm256_cvtps_epi32(v1), zero);
  const __m256i q16 = _mm256_permute4x64_epi64(_mm256_packs_epi32(q0, q1), 0xD8);
  const __m128i low = _mm256_castsi256_si128(q16), high = _mm256_extracti128_si256(q16, 1);
  return is_signed ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
}

template <Residual kResidual>
void finish(const QConvFinish& by_reference, int rows, std::int64_t first, const std::int32_t* sums) {
  const QConvFinish f =
      by_reference;  // a copy: stores to the output could otherwise change it, as far as a compiler knows
  const Lanes<kResidual> low(f, first), high(f, first + 8);
  const __m256i zero = _mm256_set1_epi32(f.out_zero_point);
  const bool is_signed = f.output_type == DType::kInt8;
  for (int row = 0; row < rows; ++row, sums += 16) {
    const std::int64_t at = row * f.stride + first;
    const __m256 v0 = low.value(f, row, first, sums), v1 = high.value(f, row, first + 8, sums + 8);
    if (f.output_type == DType::kFloat32) {
      _mm256_storeu_ps(static_cast<float*>(f.output) + at, v0);
      _mm256_storeu_ps(static_cast<float*>(f.output) + at + 8, v1);
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<std::uint8_t*>(f.output) + at),
                       quantize(v0, v1, zero, is_signed));
    }
  }
}

}  // namespace

void qconv_finish16(const QConvFinish& f, int rows, std::int64_t first, const std::int32_t* sums) noexcept {
  if (f.residual_type == DType::kUndefined)
    finish<Residual::kNone>(f, rows, first, sums);
  else if (f.residual_type == DType::kFloat32)
    finish<Residual::kFloat>(f, rows, first, sums);
  else
    finish<Residual::k8Bit>(f, rows, first, sums);
}

}  // namespace pare::kernels::avx2
