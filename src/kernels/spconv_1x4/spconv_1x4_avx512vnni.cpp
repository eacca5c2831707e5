// Two channels at a time in up to 8 registers of 16 pixels; a block of four weights is broadcast, the panel's row an
// operand in memory.
#include <immintrin.h>

#include "kernels/sppanel/tile.h"

namespace pare::kernels::avx512vnni {
namespace {

template <int V>
void multiply_pair(const PanelProduct& t, const PanelPair& pair) {
  constexpr std::int64_t kWidth = kPanelLanes * V;
  std::uint32_t *s0 = t.sums + pair.channels[0] * kWidth, *s1 = t.sums + pair.channels[1] * kWidth;
  __m512i a[V], b[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    a[v] = t.first ? _mm512_setzero_si512() : _mm512_loadu_si512(s0 + 16 * v);
    b[v] = t.first ? _mm512_setzero_si512() : _mm512_loadu_si512(s1 + 16 * v);
  }
  const PanelEntry* e = t.entries + pair.first;
  for (std::uint32_t step = 0; step < pair.count; ++step, e += 2) {
    const std::uint32_t *x0 = t.panel + e[0].input * kWidth, *x1 = t.panel + e[1].input * kWidth;
    const __m512i w0 = _mm512_set1_epi32(static_cast<int>(e[0].weight)),
                  w1 = _mm512_set1_epi32(static_cast<int>(e[1].weight));
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      a[v] = _mm512_dpbusd_epi32(a[v], _mm512_loadu_si512(x0 + 16 * v), w0);
      b[v] = _mm512_dpbusd_epi32(b[v], _mm512_loadu_si512(x1 + 16 * v), w1);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    _mm512_storeu_si512(s0 + 16 * v, a[v]);
    _mm512_storeu_si512(s1 + 16 * v, b[v]);
  }
}

template <int V>
void multiply(const PanelProduct& t) {
  for (std::int64_t n = 0; n < t.pair_count; ++n) multiply_pair<V>(t, t.pairs[n]);
}

}  // namespace

void spconv_1x4_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

}  // namespace pare::kernels::avx512vnni
