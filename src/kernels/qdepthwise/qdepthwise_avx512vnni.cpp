// 64 channels of a row: four neighbouring input columns are interleaved byte by byte, so that vpdpbusd sums four taps
// of a channel at once; neighbouring outputs read the same interleaved columns through shifted copies of the weights.
// u8 inputs (s8 + 128); the zero point is in the bias. The order of vpunpck within a block of 64 is undone by the
// packing at the end. False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/qdepthwise/strip.h"

namespace pare::kernels::avx512vnni {
namespace {

/// Sixteen channels each: register i holds channels 16·lane + 4·i + element.
struct Block {
  __m512i v[4];
};

/// From channels 16·i … 16·i + 15 in register i to a Block, and back: a transposition of 4 × 4 lanes.
void transpose_lanes(__m512i (&v)[4]) {
  const __m512i a = _mm512_shuffle_i32x4(v[0], v[1], 0x44), b = _mm512_shuffle_i32x4(v[0], v[1], 0xEE),
                c = _mm512_shuffle_i32x4(v[2], v[3], 0x44), d = _mm512_shuffle_i32x4(v[2], v[3], 0xEE);
  v[0] = _mm512_shuffle_i32x4(a, c, 0x88);
  v[1] = _mm512_shuffle_i32x4(a, c, 0xDD);
  v[2] = _mm512_shuffle_i32x4(b, d, 0x88);
  v[3] = _mm512_shuffle_i32x4(b, d, 0xDD);
}

__mmask16 lanes_left(int channels, int i) {
  const int left = channels - 16 * i;
  return left >= 16 ? 0xFFFF : left <= 0 ? 0 : static_cast<__mmask16>((1u << left) - 1);
}
__mmask64 bytes_of(int channels) { return channels >= 64 ? ~0ull : (1ull << channels) - 1; }

Block load_words(const void* from, int channels) {
  Block block;
  for (int i = 0; i < 4; ++i)
    block.v[i] = _mm512_maskz_loadu_epi32(lanes_left(channels, i), static_cast<const std::int32_t*>(from) + 16 * i);
  transpose_lanes(block.v);
  return block;
}

/// Bytes of 64 channels as 32-bit integers in a Block's order.
Block widen(__m512i bytes, bool is_signed) {
  const __m512i zero = _mm512_setzero_si512(), sign = _mm512_movm_epi8(_mm512_movepi8_mask(bytes));
  const __m512i lo = _mm512_unpacklo_epi8(bytes, is_signed ? sign : zero),
                hi = _mm512_unpackhi_epi8(bytes, is_signed ? sign : zero);
  const __m512i lo_sign = is_signed ? _mm512_srai_epi16(lo, 15) : zero,
                hi_sign = is_signed ? _mm512_srai_epi16(hi, 15) : zero;
  return {{_mm512_unpacklo_epi16(lo, lo_sign), _mm512_unpackhi_epi16(lo, lo_sign), _mm512_unpacklo_epi16(hi, hi_sign),
           _mm512_unpackhi_epi16(hi, hi_sign)}};
}

/// What the epilogue needs of a block, in a Block's order.
struct Finish {
  const QConvFinish& f;
  int channels;
  __mmask64 bytes;
  Block bias, multiplier;

  explicit Finish(const QDepthwiseStrip& s)
      : f(s.finish),
        channels(s.channels),
        bytes(bytes_of(s.channels)),
        bias(load_words(s.finish.bias, s.channels)),
        multiplier(load_words(s.finish.multiplier, s.channels)) {}

  void round_first(__m512 (&v)[4]) const {
    for (__m512& x : v) {
      x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(f.first_lo)), _mm512_set1_ps(f.first_hi));
      x = _mm512_mul_ps(_mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                        _mm512_set1_ps(f.first_multiplier));
    }
  }

  void add_residual(std::int64_t at, __m512 (&v)[4]) const {
    Block r;
    if (f.residual_type == DType::kFloat32) {
      r = load_words(static_cast<const float*>(f.residual) + at, channels);
    } else {
      r = widen(_mm512_maskz_loadu_epi8(bytes, static_cast<const std::uint8_t*>(f.residual) + at),
                f.residual_type == DType::kInt8);
      for (__m512i& x : r.v)
        x = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_sub_epi32(x, _mm512_set1_epi32(f.residual_zero_point))));
    }
    for (int i = 0; i < 4; ++i)
      v[i] = _mm512_add_ps(v[i], _mm512_mul_ps(_mm512_castsi512_ps(r.v[i]), _mm512_set1_ps(f.residual_multiplier)));
  }

  void store(std::int64_t at, const __m512 (&v)[4]) const {
    if (f.output_type == DType::kFloat32) {
      __m512i natural[4];
      for (int i = 0; i < 4; ++i) natural[i] = _mm512_castps_si512(v[i]);
      transpose_lanes(natural);
      for (int i = 0; i < 4; ++i)
        _mm512_mask_storeu_epi32(static_cast<float*>(f.output) + at + 16 * i, lanes_left(channels, i), natural[i]);
      return;
    }
    __m512i q[4];
    for (int i = 0; i < 4; ++i) q[i] = _mm512_add_epi32(_mm512_cvtps_epi32(v[i]), _mm512_set1_epi32(f.out_zero_point));
    const __m512i lo = _mm512_packs_epi32(q[0], q[1]), hi = _mm512_packs_epi32(q[2], q[3]);
    const __m512i packed = f.output_type == DType::kInt8 ? _mm512_packs_epi16(lo, hi) : _mm512_packus_epi16(lo, hi);
    _mm512_mask_storeu_epi8(static_cast<std::uint8_t*>(f.output) + at, bytes, packed);
  }

  void operator()(std::int64_t pixel, const __m512i* acc) const {
    const __m512 lo = _mm512_set1_ps(f.lo), hi = _mm512_set1_ps(f.hi);
    __m512 v[4];
    for (int i = 0; i < 4; ++i)
      v[i] =
          _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(acc[i], bias.v[i])), _mm512_castsi512_ps(multiplier.v[i]));
    if (f.first_multiplier != 0) round_first(v);
    if (f.residual_type != DType::kUndefined) add_residual(pixel * f.stride, v);
    for (__m512& x : v) x = _mm512_min_ps(_mm512_max_ps(x, lo), hi);
    store(pixel * f.stride, v);
  }
};

/// Four columns, interleaved.
Block interleave(const std::uint8_t* const (&at)[4], __mmask64 bytes, __m512i flip) {
  __m512i x[4];
  for (int i = 0; i < 4; ++i) x[i] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(bytes, at[i]), flip);
  const __m512i ab_lo = _mm512_unpacklo_epi8(x[0], x[1]), ab_hi = _mm512_unpackhi_epi8(x[0], x[1]),
                cd_lo = _mm512_unpacklo_epi8(x[2], x[3]), cd_hi = _mm512_unpackhi_epi8(x[2], x[3]);
  return {{_mm512_unpacklo_epi16(ab_lo, cd_lo), _mm512_unpackhi_epi16(ab_lo, cd_lo),
           _mm512_unpacklo_epi16(ab_hi, cd_hi), _mm512_unpackhi_epi16(ab_hi, cd_hi)}};
}

/// The outputs from `pixel` on whose first tap lies in column `column`; kInside: every column read lies in the image.
template <int KW, int S, bool kInside>
void accumulate(const QDepthwiseStrip& s, std::int64_t column, __mmask64 bytes, __m512i flip,
                __m512i (&acc)[strip_outputs(KW, S) * 4]) {
  constexpr int kOutputs = strip_outputs(KW, S), kQuads = strip_quads(KW, S);
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  const std::int8_t* w = s.weights;
  for (int y = 0; y < s.kh; ++y) {
    const std::uint8_t* row = s.rows[y];
#pragma GCC unroll 2
    for (int q = 0; q < kQuads; ++q) {
      const std::uint8_t* at[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const std::int64_t x = column + 4 * q + i;
        if constexpr (kInside)
          at[i] = row + x * s.in_c;
        else
          at[i] = row && x >= 0 && x < s.in_w ? row + x * s.in_c : s.padding;
      }
      const Block columns = interleave(at, bytes, flip);
#pragma GCC unroll 4
      for (int g = 0; g < kOutputs; ++g) {
        if (!strip_uses(KW, S, q, g)) continue;
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i, w += 64)
          acc[4 * g + i] = _mm512_dpbusd_epi32(acc[4 * g + i], columns.v[i], _mm512_loadu_si512(w));
      }
    }
  }
}

template <int KW, int S>
void strip(const QDepthwiseStrip& s) {
  constexpr int kOutputs = strip_outputs(KW, S), kColumns = 4 * strip_quads(KW, S);
  const Finish finish(s);
  const __m512i flip = _mm512_set1_epi8(s.input_signed ? static_cast<char>(0x80) : 0);
  bool rows = true;
  for (int y = 0; y < s.kh; ++y) rows = rows && s.rows[y];
  for (std::int64_t out = 0; out < s.out_w; out += kOutputs) {
    const std::int64_t column = s.first + out * S;
    __m512i acc[kOutputs * 4];
    if (rows && column >= 0 && column + kColumns <= s.in_w)
      accumulate<KW, S, true>(s, column, finish.bytes, flip, acc);
    else
      accumulate<KW, S, false>(s, column, finish.bytes, flip, acc);
#pragma GCC unroll 4
    for (int g = 0; g < kOutputs; ++g)
      if (out + g < s.out_w) finish(out + g, acc + 4 * g);
  }
}

}  // namespace

void qdepthwise_strip(const QDepthwiseStrip& s) noexcept {
  if (s.stride == 1) {
    s.kw == 3 ? strip<3, 1>(s) : s.kw == 5 ? strip<5, 1>(s) : strip<7, 1>(s);
  } else {
    s.kw == 3 ? strip<3, 2>(s) : s.kw == 5 ? strip<5, 2>(s) : strip<7, 2>(s);
  }
}

}  // namespace pare::kernels::avx512vnni
