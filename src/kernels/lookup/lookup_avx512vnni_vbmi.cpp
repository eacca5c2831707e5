// 64 bytes at a time: the table is four registers, of which a permutation reads two by the lower seven bits of a byte;
// its eighth bit says which two.
#include <immintrin.h>

#include <cstdint>

namespace pare::kernels::avx512vnni_vbmi {

void lookup_span(const std::uint8_t* table, std::int64_t count, const std::uint8_t* in, std::uint8_t* out) noexcept {
  const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64),
                t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
  const auto at = [&](__m512i x) {
    const __m512i low = _mm512_permutex2var_epi8(t0, x, t1), high = _mm512_permutex2var_epi8(t2, x, t3);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
  };
  std::int64_t i = 0;
  for (; i + 64 <= count; i += 64) _mm512_storeu_si512(out + i, at(_mm512_loadu_si512(in + i)));
  if (i == count) return;
  const __mmask64 rest = (__mmask64{1} << (count - i)) - 1;
  _mm512_mask_storeu_epi8(out + i, rest, at(_mm512_maskz_loadu_epi8(rest, in + i)));
}

}  // namespace pare::kernels::avx512vnni_vbmi
