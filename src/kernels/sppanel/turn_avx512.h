// Four columns of 16 rows as vectors. In an anonymous namespace: each file that includes it is compiled for its own
// instruction set and keeps its own copy.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pare::kernels {
namespace {

/// out[e], lane r: rows[r][column + e]. A quarter of four rows is loaded to where it will lie, so that half of the
/// permutations of a transposition in registers are left.
[[gnu::always_inline]] inline void turn4(const std::uint32_t* const (&rows)[16], std::int64_t column,
                                         __m512i (&out)[4]) noexcept {
  __m512i a[4], b[4];
  const auto quarter = [&](int r) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + column)); };
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {  // a[k]: of rows k, k + 4, k + 8, k + 12
    a[k] = _mm512_castsi128_si512(quarter(k));
    a[k] = _mm512_inserti32x4(a[k], quarter(k + 4), 1);
    a[k] = _mm512_inserti32x4(a[k], quarter(k + 8), 2);
    a[k] = _mm512_inserti32x4(a[k], quarter(k + 12), 3);
  }
  b[0] = _mm512_unpacklo_epi32(a[0], a[1]), b[1] = _mm512_unpackhi_epi32(a[0], a[1]);
  b[2] = _mm512_unpacklo_epi32(a[2], a[3]), b[3] = _mm512_unpackhi_epi32(a[2], a[3]);
  out[0] = _mm512_unpacklo_epi64(b[0], b[2]), out[1] = _mm512_unpackhi_epi64(b[0], b[2]);
  out[2] = _mm512_unpacklo_epi64(b[1], b[3]), out[3] = _mm512_unpackhi_epi64(b[1], b[3]);
}

}  // namespace
}  // namespace pare::kernels
