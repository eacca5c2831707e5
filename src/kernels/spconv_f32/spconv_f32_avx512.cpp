// Two channels at a time in up to 8 registers of 16 pixels, so that their chains of additions overlap; the weight is
// broadcast, the panel's row an operand in memory.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::avx512 {
namespace {

__m512 broadcast(std::uint32_t bits) { return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(bits))); }

template <int V>
void multiply_pair(const PanelProduct& t, const PanelPair& pair) {
  constexpr std::int64_t kWidth = kPanelLanes * V;
  auto* sums = reinterpret_cast<float*>(t.sums);
  float *s0 = sums + pair.channels[0] * kWidth, *s1 = sums + pair.channels[1] * kWidth;
  __m512 a[V], b[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    a[v] = t.first ? _mm512_setzero_ps() : _mm512_loadu_ps(s0 + 16 * v);
    b[v] = t.first ? _mm512_setzero_ps() : _mm512_loadu_ps(s1 + 16 * v);
  }
  const auto* panel = reinterpret_cast<const float*>(t.panel);
  const PanelEntry* e = t.entries + pair.first;
  for (std::uint32_t step = 0; step < pair.count; ++step, e += 2) {
    const float *x0 = panel + e[0].input * kWidth, *x1 = panel + e[1].input * kWidth;
    const __m512 w0 = broadcast(e[0].weight), w1 = broadcast(e[1].weight);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      a[v] = _mm512_fmadd_ps(w0, _mm512_loadu_ps(x0 + 16 * v), a[v]);
      b[v] = _mm512_fmadd_ps(w1, _mm512_loadu_ps(x1 + 16 * v), b[v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    _mm512_storeu_ps(s0 + 16 * v, a[v]);
    _mm512_storeu_ps(s1 + 16 * v, b[v]);
  }
}

template <int V>
void multiply(const PanelProduct& t) {
  for (std::int64_t n = 0; n < t.pair_count; ++n) multiply_pair<V>(t, t.pairs[n]);
}

}  // namespace

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

}  // namespace pare::kernels::avx512
