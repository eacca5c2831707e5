// 16 elements at a time. The quotient by the output's scale is first a product with its reciprocal; only where that
// lies so close to a tie that rounding could differ the division itself is done, so the result is exact all the same.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/elementwise/qbinary.h"

namespace pare::kernels::avx512 {
namespace {

struct Operand {
  const std::uint8_t* data;
  bool is_signed, steps;
  __m512i zero;
  __m512 scale, value;

  Operand(const void* from, const QuantParams& p, bool moves)
      : data(static_cast<const std::uint8_t*>(from)),
        is_signed(p.type == DType::kInt8),
        steps(moves),
        zero(_mm512_set1_epi32(p.zero_point)),
        scale(_mm512_set1_ps(p.scale)),
        value(real(_mm_set1_epi8(static_cast<char>(*data)))) {}

  __m512 real(__m128i bytes) const {
    const __m512i wide = is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(wide, zero)), scale);
  }
  __m512 at(std::int64_t i, __mmask16 mask) const { return steps ? real(_mm_maskz_loadu_epi8(mask, data + i)) : value; }
};

struct Output {
  __m512 scale, reciprocal, lo, hi;
  __m512i zero;

  explicit Output(const QuantParams& p)
      : scale(_mm512_set1_ps(p.scale)),
        reciprocal(_mm512_set1_ps(1.0f / p.scale)),
        lo(_mm512_set1_ps(static_cast<float>((p.type == DType::kInt8 ? -128 : 0) - p.zero_point))),
        hi(_mm512_set1_ps(static_cast<float>((p.type == DType::kInt8 ? 127 : 255) - p.zero_point))),
        zero(_mm512_set1_epi32(p.zero_point)) {}

  __m128i operator()(__m512 x) const {
    const __m512 nearly_tied = _mm512_set1_ps(0.499f);  // far more than the two roundings can move a value below 512
    __m512 v = _mm512_min_ps(_mm512_max_ps(_mm512_mul_ps(x, reciprocal), lo), hi);
    const __m512 rest =
        _mm512_abs_ps(_mm512_sub_ps(v, _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)));
    if (_mm512_cmp_ps_mask(rest, nearly_tied, _CMP_GT_OQ))
      v = _mm512_min_ps(_mm512_max_ps(_mm512_div_ps(x, scale), lo), hi);
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(v), zero));
  }
};

template <class F>
void span(const QBinarySpan& s, const F& f) {
  const Operand a(s.a, s.a_params, s.a_steps), b(s.b, s.b_params, s.b_steps);
  const Output output(s.out_params);
  const __m512 lo = _mm512_set1_ps(s.lo), hi = _mm512_set1_ps(s.hi);
  auto* out = static_cast<std::uint8_t*>(s.out);
  for (std::int64_t i = 0; i < s.count; i += 16) {
    const std::int64_t left = s.count - i;
    const __mmask16 mask = left >= 16 ? 0xFFFF : static_cast<__mmask16>((1u << left) - 1);
    const __m512 x = _mm512_min_ps(_mm512_max_ps(f(a.at(i, mask), b.at(i, mask)), lo), hi);
    _mm_mask_storeu_epi8(out + i, mask, output(x));
  }
}

}  // namespace

bool qbinary_span(const QBinarySpan& s) noexcept {
  if (s.op == BinaryOp::kAdd)
    span(s, [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); });
  else if (s.op == BinaryOp::kMul)
    span(s, [](__m512 a, __m512 b) { return _mm512_mul_ps(a, b); });
  else
    return false;
  return true;
}

}  // namespace pare::kernels::avx512
