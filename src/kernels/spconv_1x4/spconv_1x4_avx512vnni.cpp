// Two channels at a time in up to 8 registers of 16 pixels; a block of four weights is broadcast, the panel's row an
// operand in memory. What earlier blocks gave is added at the end, where nothing waits for it.
#include <immintrin.h>

#include "kernels/spconv_1x4/tile.h"

namespace pare::kernels::avx512vnni {
namespace {

template <int V>
void store(const PanelProduct& t, std::uint32_t channel, __m512i (&acc)[V]) {
  std::uint32_t* sums = t.sums + channel * std::int64_t{kPanelLanes};
  if (!t.first)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v] = _mm512_add_epi32(acc[v], _mm512_loadu_si512(sums + v * t.sum_stride));
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) _mm512_storeu_si512(sums + v * t.sum_stride, acc[v]);
}

template <int V>
void multiply_pair(const PanelProduct& t, const PanelPair& pair) {
  __m512i a[V], b[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) a[v] = b[v] = _mm512_setzero_si512();
  const std::uint32_t* inputs[V];  // with a pointer each no address is counted within the loop
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) inputs[v] = t.inputs + v * t.input_stride;
  const std::uint32_t* w = t.weights + pair.first;
  const std::uint8_t* which = t.which + pair.first;
  for (std::uint32_t step = 0; step < pair.count; ++step, w += 2, which += 2) {
    const std::size_t i = std::size_t{which[0]} * kPanelLanes, j = std::size_t{which[1]} * kPanelLanes;
    const __m512i w0 = _mm512_set1_epi32(static_cast<int>(w[0])), w1 = _mm512_set1_epi32(static_cast<int>(w[1]));
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      a[v] = _mm512_dpbusd_epi32(a[v], _mm512_loadu_si512(inputs[v] + i), w0);
      b[v] = _mm512_dpbusd_epi32(b[v], _mm512_loadu_si512(inputs[v] + j), w1);
    }
  }
  store(t, pair.channels[0], a);
  store(t, pair.channels[1], b);
}

template <int V>
void multiply(const PanelProduct& given) {
  const PanelProduct t = given;  // a copy: stores of sums might alias the caller's
  for (std::int64_t n = 0; n < t.pair_count; ++n) multiply_pair<V>(t, t.pairs[n]);
}

}  // namespace

void spconv_1x4_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

void spconv_1x4_finish(const SpConv1x4Finish& f) noexcept {
  for (std::int64_t c = 0; c < f.channels; c += 16) spconv_1x4_finish_rows(Isa::kAvx512Vnni, f, c);
}

}  // namespace pare::kernels::avx512vnni
