// 64 bytes of channels at a time, in a register until the last tap is seen.
#include <immintrin.h>

#include "kernels/pool/line.h"

namespace pare::kernels::avx512 {
namespace {

struct Largest8 {
  static __m512i of(__m512i best, __m512i value) { return _mm512_max_epu8(best, value); }
};
struct LargestSigned8 {
  static __m512i of(__m512i best, __m512i value) { return _mm512_max_epi8(best, value); }
};
struct LargestFloat {  // a NaN wins
  static __m512i of(__m512i best, __m512i value) {
    const __m512 b = _mm512_castsi512_ps(best), v = _mm512_castsi512_ps(value);
    const __mmask16 larger = _mm512_cmp_ps_mask(v, b, _CMP_GT_OQ) | _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_mov_epi32(best, larger, value);
  }
};

/// The largest of `columns` taps of each row, of the bytes that `mask` says.
template <class Op>
[[gnu::always_inline]] inline void window(const MaxLine& l, const std::byte* from, std::int64_t columns, __mmask64 mask,
                                          std::byte* to) {
  const std::int64_t step = l.dilation * l.pixel_bytes;
  __m512i best = _mm512_maskz_loadu_epi8(mask, from);
  for (std::int64_t row = 0; row < l.rows; ++row, from += l.row_bytes)
    for (std::int64_t i = 0; i < columns; ++i) best = Op::of(best, _mm512_maskz_loadu_epi8(mask, from + i * step));
  _mm512_mask_storeu_epi8(to, mask, best);
}

template <class Op>
void line(const MaxLine& l) {
  for (std::int64_t x = 0; x < l.out_w; ++x) {
    const std::int64_t origin = x * l.stride - l.pad;
    std::int64_t first = 0, last = l.kw;
    while (origin + first * l.dilation < 0) ++first;
    while (origin + (last - 1) * l.dilation >= l.in_w) --last;
    const std::byte* from = l.in + (origin + first * l.dilation) * l.pixel_bytes;
    std::byte* to = l.out + x * l.pixel_bytes;
    std::int64_t at = 0;
    for (; at + 64 <= l.pixel_bytes; at += 64) window<Op>(l, from + at, last - first, ~__mmask64{0}, to + at);
    if (at < l.pixel_bytes) window<Op>(l, from + at, last - first, (__mmask64{1} << (l.pixel_bytes - at)) - 1, to + at);
  }
}

}  // namespace

void max_line(const MaxLine& l) noexcept {
  if (l.type == DType::kFloat32) return line<LargestFloat>(l);
  l.type == DType::kInt8 ? line<LargestSigned8>(l) : line<Largest8>(l);
}

}  // namespace pare::kernels::avx512
