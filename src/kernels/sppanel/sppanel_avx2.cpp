// Transposition by blocks of 8 × 8.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::avx2 {
namespace {

void transpose8(__m256i r[8]) {
  __m256i a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    r[i + 4] = _mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
  }
}

__m256i load(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
void store(std::uint32_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

void gather8(const PanelGather& g, int width, int p) {
  const std::uint32_t* const* x = g.pixels + p;
  const __m256i flip = _mm256_set1_epi32(static_cast<int>(g.flip));
  std::int64_t i = 0;
  for (; i + 8 <= g.count; i += 8) {
    __m256i r[8];
    for (int k = 0; k < 8; ++k) r[k] = _mm256_xor_si256(load(x[k] + i), flip);
    transpose8(r);
    for (int k = 0; k < 8; ++k) store(g.panel + (i + k) * width + p, r[k]);
  }
  for (; i < g.count; ++i)
    for (int k = 0; k < 8; ++k) g.panel[i * width + p + k] = x[k][i] ^ g.flip;
}

void spread8(const PanelSpread& s, int width, int channel, int p) {
  __m256i r[8];
  for (int k = 0; k < 8; ++k) r[k] = load(s.sums + (s.channel + channel + k) * width + p);
  transpose8(r);
  for (int k = 0; k < 8 && p + k < s.pixels; ++k) store(s.rows + (p + k) * kPanelLanes + channel, r[k]);
}

}  // namespace

void panel_gather(const PanelGather& g) noexcept {
  const int width = kPanelLanes * g.vectors;
  for (int p = 0; p < width; p += 8) gather8(g, width, p);
}

void panel_spread(const PanelSpread& s) noexcept {
  const int width = kPanelLanes * s.vectors;
  int c = 0;
  for (; c + 8 <= s.channels; c += 8)
    for (int p = 0; p < s.pixels; p += 8) spread8(s, width, c, p);
  for (; c < s.channels; ++c)
    for (int p = 0; p < s.pixels; ++p) s.rows[p * kPanelLanes + c] = s.sums[(s.channel + c) * width + p];
}

}  // namespace pare::kernels::avx2
