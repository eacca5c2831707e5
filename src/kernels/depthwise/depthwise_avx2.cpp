// 16 channels in two registers over all taps of a pixel; the last channels through a mask.
#include <immintrin.h>

#include "kernels/depthwise/pixel.h"

namespace pare::kernels::avx2 {
namespace {

__m256i mask_of(std::int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

__m256 finish(const DepthwisePixel& p, __m256 v) {  // NaN stays: it is the second operand, which min and max return
  return _mm256_min_ps(_mm256_set1_ps(p.hi), _mm256_max_ps(_mm256_set1_ps(p.lo), v));
}

void channels16(const DepthwisePixel& p, std::int64_t c) {
  __m256 v0 = p.bias ? _mm256_loadu_ps(p.bias + c) : _mm256_setzero_ps(),
         v1 = p.bias ? _mm256_loadu_ps(p.bias + c + 8) : _mm256_setzero_ps();
  for (std::int64_t y = 0; y < p.taps_h; ++y) {
    const float* in = p.input + y * p.row + c;
    const float* w = p.weights + y * p.weight_row + c;
    for (std::int64_t x = 0; x < p.taps_w; ++x, in += p.column, w += p.weight_column) {
      v0 = _mm256_fmadd_ps(_mm256_loadu_ps(in), _mm256_loadu_ps(w), v0);
      v1 = _mm256_fmadd_ps(_mm256_loadu_ps(in + 8), _mm256_loadu_ps(w + 8), v1);
    }
  }
  if (p.residual) {
    v0 = _mm256_add_ps(v0, _mm256_loadu_ps(p.residual + c));
    v1 = _mm256_add_ps(v1, _mm256_loadu_ps(p.residual + c + 8));
  }
  _mm256_storeu_ps(p.output + c, finish(p, v0));
  _mm256_storeu_ps(p.output + c + 8, finish(p, v1));
}

void channels8(const DepthwisePixel& p, std::int64_t c, __m256i mask) {
  __m256 v = p.bias ? _mm256_maskload_ps(p.bias + c, mask) : _mm256_setzero_ps();
  for (std::int64_t y = 0; y < p.taps_h; ++y) {
    const float* in = p.input + y * p.row + c;
    const float* w = p.weights + y * p.weight_row + c;
    for (std::int64_t x = 0; x < p.taps_w; ++x, in += p.column, w += p.weight_column) {
      v = _mm256_fmadd_ps(_mm256_maskload_ps(in, mask), _mm256_maskload_ps(w, mask), v);
    }
  }
  if (p.residual) v = _mm256_add_ps(v, _mm256_maskload_ps(p.residual + c, mask));
  _mm256_maskstore_ps(p.output + c, mask, finish(p, v));
}

}  // namespace

void depthwise_pixel(const DepthwisePixel& p) noexcept {
  std::int64_t c = 0;
  for (; c + 16 <= p.channels; c += 16) channels16(p, c);
  for (; c < p.channels; c += 8) channels8(p, c, mask_of(p.channels - c));
}

}  // namespace pare::kernels::avx2
