// The epilogue of kernels/qconv/qconv.h in AVX-512, for kernels that hold the sums of 16 channels in a register. In an
// anonymous namespace: each file that includes it is compiled for its own instruction set and keeps its own copy.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/qconv/tile.h"

namespace pare::kernels {
namespace {

/// What an epilogue has besides bias, multiplier and clamp: nothing, a u8 residual, that residual to a sum that is quantized
/// first (all without zero points of weights, with 8-bit output and all 16 channels), or anything.
enum class FinishKind { kPlain, kResidualU8, kFirstResidualU8, kAny };

inline FinishKind finish_kind(const QConvFinish& f, int channels) {
  if (f.weight_zero_point || f.output_type == DType::kFloat32 || channels < 16) return FinishKind::kAny;
  const bool first = f.first_multiplier != 0;
  if (f.residual_type == DType::kUndefined) return first ? FinishKind::kAny : FinishKind::kPlain;
  if (f.residual_type != DType::kUint8) return FinishKind::kAny;
  return first ? FinishKind::kFirstResidualU8 : FinishKind::kResidualU8;
}

/// The epilogue of up to 16 channels, with what is the same for all rows in registers.
struct Finish {
  QConvFinish f;  // a copy: stores of bytes might alias the caller's
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

  /// To whole vectors of the channels from `channel` of `given` on.
  void move_to(const QConvFinish& given, std::int64_t channel) {
    multiplier = _mm512_loadu_ps(given.multiplier + channel);
    bias = _mm512_loadu_si512(given.bias + channel);
    f.output = static_cast<std::uint8_t*>(given.output) + channel;
    if (given.residual) f.residual = static_cast<const std::uint8_t*>(given.residual) + channel;
  }

  __m512 residual(std::int64_t at) const {
    if (f.residual_type == DType::kFloat32)
      return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(f.residual) + at);
    const __m128i bytes = _mm_maskz_loadu_epi8(mask, static_cast<const std::uint8_t*>(f.residual) + at);
    const __m512i wide = f.residual_type == DType::kInt8 ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(f.residual_zero_point)));
  }

  /// Of whole vectors: a masked load costs more than all the rest of the row.
  __m512 whole_residual_u8(std::int64_t at) const {
    const auto* bytes = reinterpret_cast<const __m128i*>(static_cast<const std::uint8_t*>(f.residual) + at);
    const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes));
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(wide, _mm512_set1_epi32(f.residual_zero_point)));
  }

  template <FinishKind kKind>
  void row(int r, __m512i sums) const {
    constexpr bool kAny = kKind == FinishKind::kAny;
    const std::int64_t at = r * f.stride, added = r * f.residual_stride;
    __m512i acc = _mm512_add_epi32(sums, bias);
    if (kAny && f.weight_zero_point) {
      const __m512i zero = _mm512_maskz_loadu_epi32(mask, f.weight_zero_point);
      acc = _mm512_sub_epi32(acc, _mm512_mullo_epi32(zero, _mm512_set1_epi32(f.row_sum[r])));
    }
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), multiplier);
    if (kKind == FinishKind::kFirstResidualU8 || (kAny && f.first_multiplier != 0)) {
      const __m512 own = _mm512_min_ps(_mm512_max_ps(v, _mm512_set1_ps(f.first_lo)), _mm512_set1_ps(f.first_hi));
      v = _mm512_mul_ps(_mm512_roundscale_ps(own, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                        _mm512_set1_ps(f.first_multiplier));
    }
    if (kKind == FinishKind::kResidualU8 || kKind == FinishKind::kFirstResidualU8)
      v = _mm512_add_ps(v, _mm512_mul_ps(whole_residual_u8(added), _mm512_set1_ps(f.residual_multiplier)));
    if (kAny && f.residual_type != DType::kUndefined)
      v = _mm512_add_ps(v, _mm512_mul_ps(residual(added), _mm512_set1_ps(f.residual_multiplier)));
    v = _mm512_min_ps(_mm512_max_ps(v, lo), hi);
    if (kAny && f.output_type == DType::kFloat32) {
      _mm512_mask_storeu_ps(static_cast<float*>(f.output) + at, mask, v);
      return;
    }
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(v), zero_point);
    const __m128i bytes = _mm512_cvtepi32_epi8(q);  // a conversion straight into memory is microcoded
    auto* out = reinterpret_cast<__m128i*>(static_cast<std::uint8_t*>(f.output) + at);
    if (!kAny || mask == 0xFFFF)
      _mm_storeu_si128(out, bytes);
    else
      _mm_mask_storeu_epi8(out, mask, bytes);
  }
};

/// Of `rows` rows of `channels` up to 16; sums [rows][16].
inline void finish_rows(const QConvFinish& f, int rows, int channels, const std::int32_t* sums) {
  const Finish finish(f, channels);
  const auto all = [&]<FinishKind kKind>() {
    for (int r = 0; r < rows; ++r) finish.row<kKind>(r, _mm512_loadu_si512(sums + 16 * r));
  };
  switch (finish_kind(f, channels)) {
    case FinishKind::kPlain: return all.operator()<FinishKind::kPlain>();
    case FinishKind::kResidualU8: return all.operator()<FinishKind::kResidualU8>();
    case FinishKind::kFirstResidualU8: return all.operator()<FinishKind::kFirstResidualU8>();
    case FinishKind::kAny: return all.operator()<FinishKind::kAny>();
  }
}

}  // namespace
}  // namespace pare::kernels
