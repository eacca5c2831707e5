// Two channels at a time in up to 8 registers of 16 pixels, so that their chains of additions overlap; the weight is
// broadcast, the panel's row an operand in memory. What earlier blocks gave is added at the end, where nothing waits
// for it.
// False alarms in the header of gcc 12 (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include "kernels/spconv_f32/tile.h"
#include "kernels/sppanel/turn_avx512.h"

namespace pare::kernels::avx512 {
namespace {

constexpr std::int64_t kAhead = 2, kWeightsAhead = 4;  ///< pairs
constexpr int kWeightLines = 2;                        ///< of a pair, about

/// NaN stays: of two operands of which one is NaN the instructions give the second.
__m512 clamped(__m512 v, __m512 lo, __m512 hi) { return _mm512_min_ps(hi, _mm512_max_ps(lo, v)); }

/// Fetches what a pair will read and write first: pairs are in an order that no prefetcher foresees.
template <int V>
[[gnu::always_inline]] inline void fetch_sums(const PanelProduct& t, const PanelEnds& ends, const PanelPair& pair) {
  for (const std::uint32_t channel : pair.channels) {
    const std::int64_t at = channel * std::int64_t{kPanelLanes};
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) __builtin_prefetch(t.sums + v * t.sum_stride + at, 1);
    if (t.first && ends.added && ends.added != t.sums)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) __builtin_prefetch(ends.added + v * ends.stride + at);
  }
}

/// What was there before, and the end.
template <int V>
[[gnu::always_inline]] inline void finish_channel(const PanelProduct& t, const PanelEnds& ends, std::uint32_t channel,
                                                  __m512 (&acc)[V]) {
  const std::int64_t at = channel * std::int64_t{kPanelLanes};
  float* sums = reinterpret_cast<float*>(t.sums) + at;
  const float* before = t.first ? reinterpret_cast<const float*>(ends.added) : sums;
  const std::int64_t stride = t.first ? ends.stride : t.sum_stride;
  if (before) {
    if (t.first) before += at;
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v] = _mm512_add_ps(acc[v], _mm512_loadu_ps(before + v * stride));
  }
  if (t.last && ends.clamps) {
    const __m512 lo = _mm512_set1_ps(ends.lo), hi = _mm512_set1_ps(ends.hi);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) acc[v] = clamped(acc[v], lo, hi);
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) _mm512_storeu_ps(sums + v * t.sum_stride, acc[v]);
}

template <int V>
[[gnu::always_inline]] inline void multiply_pair(const PanelProduct& t, const PanelEnds& ends, const PanelPair& pair) {
  const __m512 a0 = t.first ? _mm512_set1_ps(ends.bias[pair.channels[0]]) : _mm512_setzero_ps(),
               b0 = t.first ? _mm512_set1_ps(ends.bias[pair.channels[1]]) : _mm512_setzero_ps();
  __m512 a[V], b[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) a[v] = a0, b[v] = b0;
  const float* inputs[V];  // with a pointer each no address is counted within the loop
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) inputs[v] = reinterpret_cast<const float*>(t.inputs) + v * t.input_stride;
  const std::uint32_t* w = t.weights + pair.first;
  const std::uint8_t* which = t.which + pair.first;
  const auto weight = [](std::uint32_t bits) { return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(bits))); };
  for (std::uint32_t step = 0; step < pair.count; ++step, w += 2, which += 2) {
    const std::size_t i = std::size_t{which[0]} * kPanelLanes, j = std::size_t{which[1]} * kPanelLanes;
    const __m512 w0 = weight(w[0]), w1 = weight(w[1]);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      a[v] = _mm512_fmadd_ps(w0, _mm512_loadu_ps(inputs[v] + i), a[v]);
      b[v] = _mm512_fmadd_ps(w1, _mm512_loadu_ps(inputs[v] + j), b[v]);
    }
  }
  finish_channel(t, ends, pair.channels[0], a);
  finish_channel(t, ends, pair.channels[1], b);
}

/// The lines that the next panel reads, some with each pair.
class Ahead {
 public:
  explicit Ahead(const PanelProduct& t)
      : at_(t.next), stride_(t.input_stride), lines_(t.next ? t.next_lines : 0), each_(lines_ / t.pair_count + 1) {}
  template <int V>
  [[gnu::always_inline]] void fetch() {
    for (std::int64_t n = lines_ < each_ ? lines_ : each_; n > 0; --n, --lines_, at_ += kPanelLanes)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) _mm_prefetch(at_ + v * stride_, _MM_HINT_T1);
  }

 private:
  const std::uint32_t* at_;
  std::int64_t stride_, lines_, each_;
};

template <int V>
void multiply(const PanelProduct& given) {
  const PanelProduct t = given;  // copies: stores of sums might alias the caller's
  const PanelEnds ends = *given.ends;
  Ahead ahead(t);
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    if (n + kAhead < t.pair_count) fetch_sums<V>(t, ends, t.pairs[n + kAhead]);
    if (n + kWeightsAhead < t.pair_count) {  // prefetchers start anew at each page
      const std::uint32_t first = t.pairs[n + kWeightsAhead].first;
#pragma GCC unroll 2
      for (int line = 0; line < kWeightLines; ++line) _mm_prefetch(t.weights + first + 16 * line, _MM_HINT_T0);
      _mm_prefetch(t.which + first, _MM_HINT_T0);
    }
    ahead.fetch<V>();
    multiply_pair<V>(t, ends, t.pairs[n]);
  }
}

/// Channels [c, c + count) of all pixels.
void finish16(const SpConvF32Finish& f, std::int64_t c, int count) {
  const auto mask = static_cast<__mmask16>((1u << count) - 1);
  const __m512 lo = _mm512_set1_ps(f.lo), hi = _mm512_set1_ps(f.hi);
  for (int p = 0; p < f.pixels; p += 4) {
    const auto* sums = reinterpret_cast<const std::uint32_t*>(f.sums) + p / kPanelLanes * f.sum_stride;
    const std::uint32_t* rows[16];
    for (int k = 0; k < 16; ++k) rows[k] = sums + (c + (k < count ? k : count - 1)) * kPanelLanes;
    __m512i r[4];
    turn4(rows, p % kPanelLanes, r);
    for (int e = 0; e < 4 && p + e < f.pixels; ++e) {
      const std::int64_t at = (p + e) * f.row + c;
      __m512 v = _mm512_castsi512_ps(r[e]);
      if (f.residual) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, f.residual + at));
      _mm512_mask_storeu_ps(f.out + at, mask, clamped(v, lo, hi));
    }
  }
}

}  // namespace

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

void spconv_f32_finish(const SpConvF32Finish& f) noexcept {
  for (std::int64_t c = 0; c < f.channels; c += 16)
    finish16(f, c, static_cast<int>(f.channels - c < 16 ? f.channels - c : 16));
}

}  // namespace pare::kernels::avx512
