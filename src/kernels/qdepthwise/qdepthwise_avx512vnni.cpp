// 64 channels of a row: four neighbouring input columns are interleaved byte by byte, so that vpdpbusd sums four taps
// of a channel at once; neighbouring outputs read the same interleaved columns through shifted copies of the weights.
// u8 inputs (s8 + 128); the zero point is in the bias. The order of vpunpck within a block of 64 is undone by the
// packing at the end.
//
// Where a block has 32 channels at most, they stand in the registers twice or four times, for as many segments of the
// row side by side. What is usual, u8 inputs and 8-bit outputs of whole blocks without anything added, takes loads and
// stores without masks, and clamps packed integers.
//
// False alarms in the header of gcc 12 (its bug 105593).
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

/// `from`: the words of each segment's channels.
template <int kSegments>
Block load_words(const std::int32_t* const (&from)[kSegments], int channels) {
  constexpr int kEach = 4 / kSegments;
  Block block;
  for (int i = 0; i < 4; ++i)
    block.v[i] = _mm512_maskz_loadu_epi32(lanes_left(channels, i % kEach), from[i / kEach] + 16 * (i % kEach));
  transpose_lanes(block.v);
  return block;
}
/// The same for all segments.
template <int kSegments>
Block load_words(const void* from, int channels) {
  const std::int32_t* all[kSegments];
  for (const std::int32_t*& one : all) one = static_cast<const std::int32_t*>(from);
  return load_words<kSegments>(all, channels);
}

/// Bytes of each segment's channels side by side, all there.
template <int kSegments>
__m512i load_bytes(const std::uint8_t* const (&from)[kSegments]) {
  const auto quarter = [&](int s) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from[s])); };
  const auto half = [&](int s) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from[s])); };
  if constexpr (kSegments == 1) return _mm512_loadu_si512(from[0]);
  if constexpr (kSegments == 2) return _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1);
  if constexpr (kSegments == 4) {
    const __m512i two = _mm512_inserti32x4(_mm512_castsi128_si512(quarter(0)), quarter(1), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(two, quarter(2), 2), quarter(3), 3);
  }
}
/// The same of the channels that `bytes` says.
template <int kSegments>
__m512i load_bytes(const std::uint8_t* const (&from)[kSegments], __mmask64 bytes) {
  constexpr int kWidth = 64 / kSegments;
  __m512i x = _mm512_maskz_loadu_epi8(bytes, from[0]);
#pragma GCC unroll 4
  for (int s = 1; s < kSegments; ++s) x = _mm512_mask_loadu_epi8(x, bytes << (kWidth * s), from[s] - kWidth * s);
  return x;
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

/// What the epilogue needs of a block, in a Block's order. Segments are `each` outputs long, the last ones perhaps
/// shorter.
template <int kSegments>
struct Finish {
  static constexpr int kWidth = 64 / kSegments, kEach = 4 / kSegments;
  const QConvFinish& f;
  int channels;
  __mmask64 bytes;
  std::int64_t each, out_w;
  Block bias, multiplier;

  Finish(const QDepthwiseStrip& s, std::int64_t segment)
      : f(s.finish),
        channels(s.channels),
        bytes(bytes_of(s.channels)),
        each(segment),
        out_w(s.out_w),
        bias(load_words<kSegments>(s.finish.bias, s.channels)),
        multiplier(load_words<kSegments>(s.finish.multiplier, s.channels)) {}

  /// Where segment `s` has its output `pixel`, in elements; the first one's where it has none.
  std::int64_t at(int s, std::int64_t pixel) const {
    return has(s, pixel) ? (s * each + pixel) * f.stride : pixel * f.stride;
  }
  bool has(int s, std::int64_t pixel) const { return s * each + pixel < out_w; }

  void round_first(__m512 (&v)[4]) const {
    for (__m512& x : v) {
      x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(f.first_lo)), _mm512_set1_ps(f.first_hi));
      x = _mm512_mul_ps(_mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                        _mm512_set1_ps(f.first_multiplier));
    }
  }

  void add_residual(std::int64_t pixel, __m512 (&v)[4]) const {
    Block r;
    if (f.residual_type == DType::kFloat32) {
      const std::int32_t* from[kSegments];
      for (int s = 0; s < kSegments; ++s) from[s] = static_cast<const std::int32_t*>(f.residual) + at(s, pixel);
      r = load_words<kSegments>(from, channels);
    } else {
      const std::uint8_t* from[kSegments];
      for (int s = 0; s < kSegments; ++s) from[s] = static_cast<const std::uint8_t*>(f.residual) + at(s, pixel);
      r = widen(load_bytes<kSegments>(from, bytes), f.residual_type == DType::kInt8);
      for (__m512i& x : r.v)
        x = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_sub_epi32(x, _mm512_set1_epi32(f.residual_zero_point))));
    }
    for (int i = 0; i < 4; ++i)
      v[i] = _mm512_add_ps(v[i], _mm512_mul_ps(_mm512_castsi512_ps(r.v[i]), _mm512_set1_ps(f.residual_multiplier)));
  }

  void store(std::int64_t pixel, const __m512 (&v)[4]) const {
    if (f.output_type == DType::kFloat32) {
      __m512i natural[4];
      for (int i = 0; i < 4; ++i) natural[i] = _mm512_castps_si512(v[i]);
      transpose_lanes(natural);
      for (int i = 0; i < 4; ++i)
        if (has(i / kEach, pixel))
          _mm512_mask_storeu_epi32(static_cast<float*>(f.output) + at(i / kEach, pixel) + 16 * (i % kEach),
                                   lanes_left(channels, i % kEach), natural[i]);
      return;
    }
    __m512i q[4];
    for (int i = 0; i < 4; ++i) q[i] = _mm512_add_epi32(_mm512_cvtps_epi32(v[i]), _mm512_set1_epi32(f.out_zero_point));
    const __m512i lo = _mm512_packs_epi32(q[0], q[1]), hi = _mm512_packs_epi32(q[2], q[3]);
    const __m512i packed = f.output_type == DType::kInt8 ? _mm512_packs_epi16(lo, hi) : _mm512_packus_epi16(lo, hi);
    auto* const out = static_cast<std::uint8_t*>(f.output);
#pragma GCC unroll 4
    for (int s = 0; s < kSegments; ++s)
      if (has(s, pixel)) _mm512_mask_storeu_epi8(out + at(s, pixel) - kWidth * s, bytes << (kWidth * s), packed);
  }

  /// No result reaches 2^31, of which a conversion would make its lowest number. `taps`: of an output.
  bool bounded(int taps) const {
    const __m512 most = _mm512_set1_ps(static_cast<float>(taps) * 255 * 128), limit = _mm512_set1_ps(0x1p31f);
    __mmask16 all = 0xFFFF;
    for (int i = 0; i < 4; ++i) {
      const __m512 sum = _mm512_add_ps(_mm512_cvtepi32_ps(_mm512_abs_epi32(bias.v[i])), most);
      all &= _mm512_cmp_ps_mask(_mm512_mul_ps(sum, _mm512_abs_ps(_mm512_castsi512_ps(multiplier.v[i]))), limit,
                                _CMP_LT_OQ);
    }
    return all == 0xFFFF;
  }
  bool is_quick(const QDepthwiseStrip& s) const {
    return !s.input_signed && s.channels == kWidth && f.residual_type == DType::kUndefined && f.first_multiplier == 0 &&
           f.output_type != DType::kFloat32 && bounded(s.kh * s.kw);
  }

  /// Of sums with the bias where is_quick().
  void quick(std::int64_t pixel, const __m512i* acc) const {
    const auto number = [](float x) { return _mm512_set1_epi16(static_cast<short>(__builtin_rintf(x))); };
    const __m512i lo = number(f.lo), hi = number(f.hi), zero = _mm512_set1_epi16(static_cast<short>(f.out_zero_point));
    __m512i q[4];
    for (int i = 0; i < 4; ++i)
      q[i] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc[i]), _mm512_castsi512_ps(multiplier.v[i])));
    __m512i half[2] = {_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3])};
    for (__m512i& x : half) x = _mm512_add_epi16(_mm512_min_epi16(_mm512_max_epi16(x, lo), hi), zero);
    const __m512i packed =
        f.output_type == DType::kInt8 ? _mm512_packs_epi16(half[0], half[1]) : _mm512_packus_epi16(half[0], half[1]);
    auto* const out = static_cast<std::uint8_t*>(f.output) + pixel * f.stride;
    const std::int64_t next = each * f.stride;
    if constexpr (kSegments == 1) _mm512_storeu_si512(out, packed);
    if constexpr (kSegments == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_castsi512_si256(packed));
      if (has(1, pixel))
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + next), _mm512_extracti64x4_epi64(packed, 1));
    }
    if constexpr (kSegments == 4) {
      const auto to = [&](int s) { return reinterpret_cast<__m128i*>(out + s * next); };
      _mm_storeu_si128(to(0), _mm512_castsi512_si128(packed));
      if (has(1, pixel)) _mm_storeu_si128(to(1), _mm512_extracti32x4_epi32(packed, 1));
      if (has(2, pixel)) _mm_storeu_si128(to(2), _mm512_extracti32x4_epi32(packed, 2));
      if (has(3, pixel)) _mm_storeu_si128(to(3), _mm512_extracti32x4_epi32(packed, 3));
    }
  }

  void operator()(std::int64_t pixel, const __m512i* acc) const {
    const __m512 lo = _mm512_set1_ps(f.lo), hi = _mm512_set1_ps(f.hi);
    __m512 v[4];
    for (int i = 0; i < 4; ++i)
      v[i] =
          _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(acc[i], bias.v[i])), _mm512_castsi512_ps(multiplier.v[i]));
    if (f.first_multiplier != 0) round_first(v);
    if (f.residual_type != DType::kUndefined) add_residual(pixel, v);
    for (__m512& x : v) x = _mm512_min_ps(_mm512_max_ps(x, lo), hi);
    store(pixel, v);
  }
};

/// Four columns, interleaved.
template <int kSegments, bool kQuick>
Block interleave(const std::uint8_t* const (&at)[4][kSegments], __mmask64 bytes, __m512i flip) {
  __m512i x[4];
  for (int i = 0; i < 4; ++i)
    x[i] = kQuick ? load_bytes<kSegments>(at[i]) : _mm512_xor_si512(load_bytes<kSegments>(at[i], bytes), flip);
  const __m512i ab_lo = _mm512_unpacklo_epi8(x[0], x[1]), ab_hi = _mm512_unpackhi_epi8(x[0], x[1]),
                cd_lo = _mm512_unpacklo_epi8(x[2], x[3]), cd_hi = _mm512_unpackhi_epi8(x[2], x[3]);
  return {{_mm512_unpacklo_epi16(ab_lo, cd_lo), _mm512_unpackhi_epi16(ab_lo, cd_lo),
           _mm512_unpacklo_epi16(ab_hi, cd_hi), _mm512_unpackhi_epi16(ab_hi, cd_hi)}};
}

/// The outputs whose first tap lies in column `column` of the first segment, `step` columns further on in each other;
/// kInside: every column read lies in the image. `acc` is added to.
template <int KW, int S, int kSegments, bool kQuick, bool kInside>
void accumulate(const QDepthwiseStrip& s, std::int64_t column, std::int64_t step, __mmask64 bytes, __m512i flip,
                __m512i (&acc)[strip_outputs(KW, S) * 4]) {
  constexpr int kOutputs = strip_outputs(KW, S), kQuads = strip_quads(KW, S);
  const std::int8_t* w = s.weights;
  for (int y = 0; y < s.kh; ++y) {
    const std::uint8_t* row = s.rows[y];
#pragma GCC unroll 2
    for (int q = 0; q < kQuads; ++q) {
      const std::uint8_t* at[4][kSegments];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
        for (int segment = 0; segment < kSegments; ++segment) {
          const std::int64_t x = column + segment * step + 4 * q + i;
          if constexpr (kInside)
            at[i][segment] = row + x * s.in_c;
          else
            at[i][segment] = row && x >= 0 && x < s.in_w ? row + x * s.in_c : s.padding;
        }
      const Block columns = interleave<kSegments, kQuick>(at, bytes, flip);
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

template <int KW, int S, int kSegments, bool kQuick>
void outputs(const QDepthwiseStrip& s, const Finish<kSegments>& finish) {
  constexpr int kOutputs = strip_outputs(KW, S), kColumns = 4 * strip_quads(KW, S);
  const std::int64_t each = finish.each, step = each * S;
  const __m512i flip = _mm512_set1_epi8(s.input_signed ? static_cast<char>(0x80) : 0);
  bool rows = true;
  for (int y = 0; y < s.kh; ++y) rows = rows && s.rows[y];
  for (std::int64_t out = 0; out < each; out += kOutputs) {
    const std::int64_t column = s.first + out * S;
    __m512i acc[kOutputs * 4];
#pragma GCC unroll 16
    for (int i = 0; i < kOutputs * 4; ++i) acc[i] = kQuick ? finish.bias.v[i % 4] : _mm512_setzero_si512();
    if (rows && column >= 0 && column + (kSegments - 1) * step + kColumns <= s.in_w)
      accumulate<KW, S, kSegments, kQuick, true>(s, column, step, finish.bytes, flip, acc);
    else
      accumulate<KW, S, kSegments, kQuick, false>(s, column, step, finish.bytes, flip, acc);
#pragma GCC unroll 4
    for (int g = 0; g < kOutputs; ++g)
      if (out + g < each) kQuick ? finish.quick(out + g, acc + 4 * g) : finish(out + g, acc + 4 * g);
  }
}

template <int KW, int S, int kSegments>
void strip(const QDepthwiseStrip& s) {
  const Finish<kSegments> finish(s, (s.out_w + kSegments - 1) / kSegments);
  finish.is_quick(s) ? outputs<KW, S, kSegments, true>(s, finish) : outputs<KW, S, kSegments, false>(s, finish);
}

template <int KW, int S>
void strip(const QDepthwiseStrip& s) {
  const int segments = strip_segments(s.channels);
  segments == 4 ? strip<KW, S, 4>(s) : segments == 2 ? strip<KW, S, 2>(s) : strip<KW, S, 1>(s);
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
