// Transposition by blocks of 8 × 8.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"
#include "kernels/sppanel/turn_avx2.h"

namespace pare::kernels {

namespace reference {
void panel_shift(const PanelShift&) noexcept;
}

namespace avx2 {
namespace {

__m256i load(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
void store(std::uint32_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

/// Pixels [p, p + 8).
void gather8(const PanelGather& g, int p) {
  const std::uint32_t* const* x = g.pixels + p;
  std::uint32_t* to = g.panel + p / kPanelLanes * g.stride + p % kPanelLanes;
  const __m256i flip = _mm256_set1_epi32(static_cast<int>(g.flip));
  std::int64_t i = 0;
  for (; i + 8 <= g.count; i += 8) {
    __m256i r[8];
    for (int k = 0; k < 8; ++k) r[k] = _mm256_xor_si256(load(x[k] + i), flip);
    turn8(r);
    for (int k = 0; k < 8; ++k) store(to + (i + k) * kPanelLanes, r[k]);
  }
  for (; i < g.count; ++i)
    for (int k = 0; k < 8; ++k) to[i * kPanelLanes + k] = x[k][i] ^ g.flip;
}

void spread8(const PanelSpread& s, int channel, int p) {
  const std::uint32_t* from = s.sums + p / kPanelLanes * s.stride + channel * kPanelLanes + p % kPanelLanes;
  __m256i r[8];
  for (int k = 0; k < 8; ++k) r[k] = load(from + k * kPanelLanes);
  turn8(r);
  for (int k = 0; k < 8 && p + k < s.pixels; ++k) store(s.rows + (p + k) * kPanelLanes + channel, r[k]);
}

}  // namespace

void panel_gather(const PanelGather& g) noexcept {
  for (int p = 0; p < kPanelLanes * g.vectors; p += 8) gather8(g, p);
}

void panel_shift(const PanelShift& s) noexcept { reference::panel_shift(s); }  // no permutation of 16 lanes

void panel_spread(const PanelSpread& s) noexcept {
  int c = 0;
  for (; c + 8 <= s.channels; c += 8)
    for (int p = 0; p < s.pixels; p += 8) spread8(s, c, p);
  for (; c < s.channels; ++c)
    for (int p = 0; p < s.pixels; ++p)
      s.rows[p * kPanelLanes + c] = s.sums[p / kPanelLanes * s.stride + c * kPanelLanes + p % kPanelLanes];
}

}  // namespace avx2
}  // namespace pare::kernels
