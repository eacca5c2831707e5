// The epilogue of kernels/qconv/qconv.h for whole rows of 32 channels and 8-bit output, with the saturating conversions
// of packed integers in place of clamps: of the same bits, since rounding is monotone and no sum passes 2^31
// (qconv_bounded). In an anonymous namespace: each file that includes it is compiled for its own instruction set and
// keeps its own copy.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/qconv/tile.h"

namespace pare::kernels {
namespace {

class PairFinish {
 public:
  /// Of the first pixel and channel of a group.
  explicit PairFinish(const QConvFinish& given)
      : f(given),
        signed_(f.output_type == DType::kInt8),
        adds_(f.residual_type != DType::kUndefined),
        shared_(adds_ && f.residual_stride == 0),
        clamps_(f.out_zero_point != 0 || f.lo > lowest() || f.hi < lowest() + 255),
        first_lo(_mm512_set1_ps(f.first_lo)),
        first_hi(_mm512_set1_ps(f.first_hi)),
        first(_mm512_set1_ps(f.first_multiplier)),
        residual(_mm512_set1_ps(f.residual_multiplier)),
        residual_zero(_mm512_set1_epi32(f.residual_zero_point)),
        zero(_mm512_set1_epi16(static_cast<short>(f.out_zero_point))),
        lo(_mm512_set1_epi16(static_cast<short>(__builtin_rintf(f.lo) + static_cast<float>(f.out_zero_point)))),
        hi(_mm512_set1_epi16(static_cast<short>(__builtin_rintf(f.hi) + static_cast<float>(f.out_zero_point)))) {}

  /// Epilogues that it takes.
  static bool has(const QConvFinish& f) {
    const bool adds = f.residual_type != DType::kUndefined, shared = adds && f.residual_stride == 0;
    if (f.weight_zero_point || f.output_type == DType::kFloat32) return false;
    if (adds && f.residual_type != (shared ? DType::kFloat32 : DType::kUint8)) return false;
    return adds || f.first_multiplier == 0;
  }

  /// To 32 channels from `channel` of the group on.
  void move_to(std::int64_t channel) {
    channel_ = channel;
    for (int half = 0; half < 2; ++half) {
      multiplier[half] = _mm512_loadu_ps(f.multiplier + channel + 16 * half);
      bias[half] = _mm512_loadu_si512(f.bias + channel + 16 * half);
      if (shared_)
        added[half] = _mm512_mul_ps(_mm512_loadu_ps(static_cast<const float*>(f.residual) + channel + 16 * half), residual);
    }
  }

  /// Of `rows` pixels; sums [rows][16], those of the second 16 channels `half` numbers behind.
  void finish(std::int64_t pixel, int rows, const std::int32_t* sums, std::int64_t half) const {
    const bool first_too = f.first_multiplier != 0;
    if (!adds_)
      any<false, Adds::kNone>(pixel, rows, sums, half);
    else if (shared_)
      first_too ? any<true, Adds::kShared>(pixel, rows, sums, half) : any<false, Adds::kShared>(pixel, rows, sums, half);
    else
      first_too ? any<true, Adds::kBytes>(pixel, rows, sums, half) : any<false, Adds::kBytes>(pixel, rows, sums, half);
  }

 private:
  enum class Adds { kNone, kBytes, kShared };

  float lowest() const { return signed_ ? -128 : 0; }

  /// What the conversion to bytes clamps to is not clamped to before.
  template <bool kFirst, Adds kAdds>
  void any(std::int64_t pixel, int rows, const std::int32_t* sums, std::int64_t half) const {
    if (clamps_)
      signed_ ? all<kFirst, kAdds, true, true>(pixel, rows, sums, half)
              : all<kFirst, kAdds, true, false>(pixel, rows, sums, half);
    else
      signed_ ? all<kFirst, kAdds, false, true>(pixel, rows, sums, half)
              : all<kFirst, kAdds, false, false>(pixel, rows, sums, half);
  }

  /// 16 channels, rounded.
  template <bool kFirst, Adds kAdds>
  __m512i numbers(const std::int32_t* sums, const std::uint8_t* from, int half) const {
    const __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(sums), bias[half]);
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), multiplier[half]);
    if constexpr (kFirst) {
      const __m512 own = _mm512_min_ps(_mm512_max_ps(v, first_lo), first_hi);
      // Rounded by what is too large to have a fraction: an addition costs less than a conversion.
      const __m512 large = _mm512_set1_ps(0x1.8p23f);
      v = _mm512_mul_ps(_mm512_sub_ps(_mm512_add_ps(own, large), large), first);
    }
    if constexpr (kAdds == Adds::kShared) v = _mm512_add_ps(v, added[half]);
    if constexpr (kAdds == Adds::kBytes) {
      const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
      v = _mm512_add_ps(v, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(wide, residual_zero)), residual));
    }
    return _mm512_cvtps_epi32(v);
  }

  template <bool kFirst, Adds kAdds, bool kClamps>
  __m512i row(const std::int32_t* sums, std::int64_t half, const std::uint8_t* from) const {
    const __m512i packed = _mm512_packs_epi32(numbers<kFirst, kAdds>(sums, from, 0),
                                              numbers<kFirst, kAdds>(sums + half, from + 16, 1));
    if constexpr (!kClamps) return packed;
    return _mm512_min_epi16(_mm512_max_epi16(_mm512_adds_epi16(packed, zero), lo), hi);
  }

  /// Two rows at a time, the last of an odd number twice: both are read before one is written.
  template <bool kFirst, Adds kAdds, bool kClamps, bool kSigned>
  void all(std::int64_t pixel, int count, const std::int32_t* sums, std::int64_t half) const {
    // A lane of 128 bits has four channels of each half of a row, and of the other row behind them.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const std::int64_t at = pixel * f.stride + channel_;
    auto* out = static_cast<std::uint8_t*>(f.output) + at;
    constexpr bool kBytes = kAdds == Adds::kBytes;
    const auto* from = static_cast<const std::uint8_t*>(f.residual) + (kBytes ? at : 0);
    for (int left = count; left > 0; left -= 2) {
      const std::int64_t step = left > 1 ? f.stride : 0;
      const __m512i a = row<kFirst, kAdds, kClamps>(sums, half, from),
                    b = row<kFirst, kAdds, kClamps>(sums + (left > 1 ? 16 : 0), half, from + (kBytes ? step : 0));
      const __m512i bytes =
          _mm512_permutexvar_epi32(order, kSigned ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_castsi512_si256(bytes));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + step), _mm512_extracti64x4_epi64(bytes, 1));
      out += 2 * f.stride, sums += 32;
      if constexpr (kBytes) from += 2 * f.stride;
    }
  }

  QConvFinish f;
  std::int64_t channel_ = 0;
  bool signed_, adds_, shared_, clamps_;
  __m512 multiplier[2], added[2], first_lo, first_hi, first, residual;
  __m512i bias[2], residual_zero, zero, lo, hi;  ///< the last three of 32 16-bit numbers
};

}  // namespace
}  // namespace pare::kernels
