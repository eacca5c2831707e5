// Sixteen registers of 16 floats transposed. In an anonymous namespace: each file that includes it is compiled for its
// own instruction set and keeps its own copy.
#pragma once

#include <immintrin.h>

namespace pare::kernels {
namespace {

inline void transpose16(__m512 (&r)[16]) noexcept {
  __m512 a[16], b[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {  // b[i + c]: columns c, c + 4, c + 8, c + 12 of rows i … i + 3
    b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
    b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xEE);
    b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
    b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 low = _mm512_shuffle_f32x4(b[c], b[c + 4], 0x88), high = _mm512_shuffle_f32x4(b[c], b[c + 4], 0xDD),
                 low2 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0x88),
                 high2 = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0xDD);
    r[c] = _mm512_shuffle_f32x4(low, low2, 0x88);
    r[c + 8] = _mm512_shuffle_f32x4(low, low2, 0xDD);
    r[c + 4] = _mm512_shuffle_f32x4(high, high2, 0x88);
    r[c + 12] = _mm512_shuffle_f32x4(high, high2, 0xDD);
  }
}

}  // namespace
}  // namespace pare::kernels
