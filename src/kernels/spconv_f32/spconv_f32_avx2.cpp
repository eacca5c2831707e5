// A channel's row of the panel in up to 8 registers of 8 pixels; both channels of a pair one after the other.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::avx2 {
namespace {

template <int V>
void channel(const PanelProduct& t, const PanelPair& pair, int side) {
  constexpr std::int64_t kWidth = kPanelLanes * V;
  float* sums = reinterpret_cast<float*>(t.sums) + pair.channels[side] * kWidth;
  __m256 acc[2 * V];
  for (int v = 0; v < 2 * V; ++v) acc[v] = t.first ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + 8 * v);
  const PanelEntry* e = t.entries + pair.first + side;
  for (std::uint32_t step = 0; step < pair.count; ++step, e += 2) {
    const float* x = reinterpret_cast<const float*>(t.panel) + e->input * kWidth;
    const __m256 w = _mm256_broadcast_ss(reinterpret_cast<const float*>(&e->weight));
    for (int v = 0; v < 2 * V; ++v) acc[v] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + 8 * v), acc[v]);
  }
  for (int v = 0; v < 2 * V; ++v) _mm256_storeu_ps(sums + 8 * v, acc[v]);
}

template <int V>
void multiply(const PanelProduct& t) {
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    channel<V>(t, t.pairs[n], 0);
    channel<V>(t, t.pairs[n], 1);
  }
}

}  // namespace

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

}  // namespace pare::kernels::avx2
