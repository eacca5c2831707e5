// The quotient without a division, which takes as long as ten products: a product by the reciprocal is off by up to two
// units in the last place, a first step by its remainder brings it within one, and from there the second gives the
// correctly rounded quotient (P. Markstein, Computation of elementary functions on the IBM RISC System/6000 processor,
// IBM Journal of Research and Development 34, 1990).
#include <immintrin.h>

#include "kernels/quantize/line.h"

namespace pare::kernels::avx512 {
namespace {

class Quantizer {
 public:
  explicit Quantizer(const QuantizeLine& l)
      : scale_(_mm512_set1_ps(l.scale)),
        reciprocal_(_mm512_set1_ps(1 / l.scale)),
        lo_(_mm512_set1_ps(-kBeyond * l.scale)),
        hi_(_mm512_set1_ps(kBeyond * l.scale)),
        zero_(_mm512_set1_epi16(static_cast<short>(l.zero_point))),
        signed_(l.output_signed) {}

  /// Of 64.
  [[gnu::always_inline]] __m512i bytes(__m512 a, __m512 b, __m512 c, __m512 d) const {
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(steps(a), steps(b)), zero_),
                  high = _mm512_adds_epi16(_mm512_packs_epi32(steps(c), steps(d)), zero_);
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        signed_ ? _mm512_packs_epi16(low, high) : _mm512_packus_epi16(low, high));
  }

 private:
  static constexpr float kBeyond = 1024;  ///< steps, more than any zero point brings back into range

  /// x / scale, rounded; NaN gives 0.
  [[gnu::always_inline]] __m512i steps(__m512 x) const {
    const __mmask16 number = _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q);
    x = _mm512_min_ps(_mm512_maskz_max_ps(number, x, lo_), hi_);
    __m512 q = _mm512_mul_ps(x, reciprocal_);
    q = _mm512_fmadd_ps(_mm512_fnmadd_ps(q, scale_, x), reciprocal_, q);
    q = _mm512_fmadd_ps(_mm512_fnmadd_ps(q, scale_, x), reciprocal_, q);
    return _mm512_cvtps_epi32(q);
  }

  __m512 scale_, reciprocal_, lo_, hi_;
  __m512i zero_;
  bool signed_;
};

}  // namespace

void quantize_line(const QuantizeLine& l) noexcept {
  const Quantizer quantizer(l);
  std::int64_t i = 0;
  for (; i + 64 <= l.count; i += 64)
    _mm512_storeu_si512(l.out + i, quantizer.bytes(_mm512_loadu_ps(l.in + i), _mm512_loadu_ps(l.in + i + 16),
                                                   _mm512_loadu_ps(l.in + i + 32), _mm512_loadu_ps(l.in + i + 48)));
  if (i == l.count) return;
  const __mmask64 left = (1ull << (l.count - i)) - 1;
  const auto some = [&](int part) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(left >> 16 * part), l.in + i + 16 * part);
  };
  _mm512_mask_storeu_epi8(l.out + i, left, quantizer.bytes(some(0), some(1), some(2), some(3)));
}

}  // namespace pare::kernels::avx512
