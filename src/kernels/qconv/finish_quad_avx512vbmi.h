// The epilogue of kernels/qconv/qconv.h for 16 channels of P pixels whose sums, bias included, are in registers: four
// pixels become one vector of bytes, by the saturating conversions of packed integers in place of clamps (the same bits,
// as in finish_pair_avx512.h). In an anonymous namespace: each file that includes it is compiled for its own instruction
// set and keeps its own copy.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/qconv/tile.h"

namespace pare::kernels {
namespace {

/// What is added to the products.
enum class QuadAdds { kNothing, kBytes, kBytesToRounded };

class QuadFinish {
 public:
  explicit QuadFinish(const QConvFinish& given)
      : f(given),
        signed_(f.output_type == DType::kInt8),
        clamps_(f.out_zero_point != 0 || f.lo > lowest() || f.hi < lowest() + 255),
        first_lo(_mm512_set1_ps(f.first_lo)),
        first_hi(_mm512_set1_ps(f.first_hi)),
        first(_mm512_set1_ps(f.first_multiplier)),
        residual(_mm512_set1_ps(f.residual_multiplier)),
        residual_zero(_mm512_set1_ps(0x1p23f + static_cast<float>(f.residual_zero_point))),
        zero(_mm512_set1_epi16(static_cast<short>(f.out_zero_point))),
        lo(_mm512_set1_epi16(static_cast<short>(__builtin_rintf(f.lo) + static_cast<float>(f.out_zero_point)))),
        hi(_mm512_set1_epi16(static_cast<short>(__builtin_rintf(f.hi) + static_cast<float>(f.out_zero_point)))) {}

  /// Epilogues that it takes, given qconv_bounded.
  static bool has(const QConvFinish& f) {
    if (f.weight_zero_point || f.output_type == DType::kFloat32) return false;
    return f.residual_type == DType::kUndefined ? f.first_multiplier == 0 : f.residual_type == DType::kUint8;
  }
  static QuadAdds adds(const QConvFinish& f) {
    if (f.residual_type == DType::kUndefined) return QuadAdds::kNothing;
    return f.first_multiplier == 0 ? QuadAdds::kBytes : QuadAdds::kBytesToRounded;
  }

  /// Of the 16 channels from `channel` and the pixels from `pixel` on.
  template <QuadAdds kAdds, int P>
  [[gnu::always_inline]] void finish(std::int64_t pixel, std::int64_t channel, const __m512i (&sums)[P]) const {
    const __m512 multiplier = _mm512_loadu_ps(f.multiplier + channel);
    const std::int64_t stride = f.stride;  // read once: stores of bytes might change it
    auto* out = static_cast<std::uint8_t*>(f.output) + pixel * stride + channel;
    const std::uint8_t* from = nullptr;
    if (kAdds != QuadAdds::kNothing)
      from = static_cast<const std::uint8_t*>(f.residual) + pixel * f.residual_stride + channel;
#pragma GCC unroll 16
    for (int p = 0; p < P; p += 4) quad<kAdds, P>(p, sums, multiplier, from, out, stride);
  }

 private:
  float lowest() const { return signed_ ? -128 : 0; }

  /// 16 channels, rounded.
  template <QuadAdds kAdds>
  [[gnu::always_inline]] __m512i numbers(__m512i sums, __m512 multiplier, const std::uint8_t* from) const {
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), multiplier);
    if constexpr (kAdds == QuadAdds::kBytesToRounded) {
      // Rounded by what is too large to have a fraction: an addition costs less than a conversion.
      const __m512 own = _mm512_min_ps(_mm512_max_ps(v, first_lo), first_hi);
      v = _mm512_mul_ps(_mm512_sub_ps(_mm512_add_ps(own, large), large), first);
    }
    if constexpr (kAdds != QuadAdds::kNothing) {
      // 2^23 + x with x as the last byte: of this, 2^23 and the zero point are subtracted without a conversion.
      const __m512i bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
      const __m512i wide = _mm512_mask_permutexvar_epi8(above_bytes, 0x1111111111111111, lanes, bytes);
      v = _mm512_add_ps(v, _mm512_mul_ps(_mm512_sub_ps(_mm512_castsi512_ps(wide), residual_zero), residual));
    }
    return _mm512_cvtps_epi32(v);
  }

  [[gnu::always_inline]] __m512i clamped(__m512i packed) const {
    if (!clamps_) return packed;
    return _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(packed, zero), lo), hi);
  }

  /// Up to four pixels from p on; missing ones repeat the last.
  template <QuadAdds kAdds, int P>
  [[gnu::always_inline]] void quad(int p, const __m512i (&sums)[P], __m512 multiplier, const std::uint8_t* from,
                                   std::uint8_t* out, std::int64_t stride) const {
    __m512i row[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const int pixel = p + r < P ? p + r : P - 1;
      row[r] = p + r < P ? numbers<kAdds>(sums[pixel], multiplier, from + pixel * f.residual_stride) : row[r - 1];
    }
    const __m512i a = clamped(_mm512_packs_epi32(row[0], row[1])), b = clamped(_mm512_packs_epi32(row[2], row[3]));
    const __m512i bytes =
        _mm512_permutexvar_epi32(order, signed_ ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b));
    const auto to = [&](int r) { return reinterpret_cast<__m128i*>(out + (p + r) * stride); };
    _mm_storeu_si128(to(0), _mm512_castsi512_si128(bytes));
    if (p + 1 < P) _mm_storeu_si128(to(1), _mm512_extracti32x4_epi32(bytes, 1));
    if (p + 2 < P) _mm_storeu_si128(to(2), _mm512_extracti32x4_epi32(bytes, 2));
    if (p + 3 < P) _mm_storeu_si128(to(3), _mm512_extracti32x4_epi32(bytes, 3));
  }

  QConvFinish f;  // a copy: stores of bytes might alias the caller's
  bool signed_, clamps_;
  __m512 first_lo, first_hi, first, residual, residual_zero;
  __m512i zero, lo, hi;  ///< of 32 16-bit numbers
  __m512 large = _mm512_set1_ps(0x1.8p23f);
  __m512i above_bytes = _mm512_set1_epi32(0x4B000000),
          lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
          order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);  ///< a lane of 128 bits has
                                                                                            ///< four channels of each pixel
};

}  // namespace
}  // namespace pare::kernels
