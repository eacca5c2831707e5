// 16 channels of a pixel: (x − zp) as s16 times s16 weights. Two taps at a time are interleaved for vpmaddwd, which
// multiplies and adds them exactly in 32 bits.
#include <immintrin.h>

#include "kernels/qdepthwise/pixel.h"

namespace pare::kernels::avx2 {
namespace {

__m256i inputs(const QDepthwisePixel& p, const std::uint8_t* at, __m256i zero) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return _mm256_sub_epi16(p.input_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes), zero);
}

__m256i weights(const std::int16_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

/// acc[0]: channels 0–3 and 8–11, acc[1]: 4–7 and 12–15 (the order of vpunpck).
void add_pair(__m256i x0, __m256i x1, __m256i w0, __m256i w1, __m256i (&acc)[2]) {
  acc[0] = _mm256_add_epi32(acc[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(x0, x1), _mm256_unpacklo_epi16(w0, w1)));
  acc[1] = _mm256_add_epi32(acc[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(x0, x1), _mm256_unpackhi_epi16(w0, w1)));
}

void sum16(const QDepthwisePixel& p, std::int64_t c, std::int32_t* sums) {
  const __m256i zero = _mm256_set1_epi16(static_cast<short>(p.input_zero_point)), none = _mm256_setzero_si256();
  __m256i acc[2] = {none, none};
  for (std::int64_t y = 0; y < p.taps_h; ++y) {
    const std::uint8_t* x = p.input + y * p.row + c;
    const std::int16_t* w = p.weights + y * p.weight_row + c;
    std::int64_t tap = 0;
    for (; tap + 2 <= p.taps_w; tap += 2, x += 2 * p.column, w += 2 * p.weight_column) {
      add_pair(inputs(p, x, zero), inputs(p, x + p.column, zero), weights(w), weights(w + p.weight_column), acc);
    }
    if (tap < p.taps_w) add_pair(inputs(p, x, zero), none, weights(w), none, acc);
  }
  auto* out = reinterpret_cast<__m256i*>(sums);
  _mm256_storeu_si256(out, _mm256_permute2x128_si256(acc[0], acc[1], 0x20));
  _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(acc[0], acc[1], 0x31));
}

}  // namespace

void qdepthwise_pixel(const QDepthwisePixel& p) noexcept {
  alignas(32) std::int32_t sums[16];
  std::int64_t c = 0;
  for (; c + 16 <= p.channels; c += 16) {
    sum16(p, c, sums);
    qconv_finish16(p.finish, 1, c, sums);
  }
  for (; c < p.channels; ++c) {  // loading 16 inputs could leave the tensor
    std::int32_t acc = 0;
    for (std::int64_t y = 0; y < p.taps_h; ++y) {
      for (std::int64_t x = 0; x < p.taps_w; ++x) {
        const std::uint8_t byte = p.input[y * p.row + x * p.column + c];
        const std::int32_t value = p.input_signed ? static_cast<std::int8_t>(byte) : byte;
        acc += (value - p.input_zero_point) * p.weights[y * p.weight_row + x * p.weight_column + c];
      }
    }
    qconv_finish_from(p.finish, c, 1, &acc);
  }
}

}  // namespace pare::kernels::avx2
