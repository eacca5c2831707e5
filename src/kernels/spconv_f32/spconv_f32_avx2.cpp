// A channel's row of the panel in up to 8 registers of 8 pixels; both channels of a pair one after the other.
#include <immintrin.h>

#include "kernels/spconv_f32/tile.h"
#include "kernels/sppanel/turn_avx2.h"

namespace pare::kernels::avx2 {
namespace {

/// NaN stays: of two operands of which one is NaN the instructions give the second.
__m256 clamped(__m256 v, __m256 lo, __m256 hi) { return _mm256_min_ps(hi, _mm256_max_ps(lo, v)); }

template <int V>
void channel(const PanelProduct& t, const PanelPair& pair, int side) {
  const auto of = [](std::int64_t stride, int v) { return v / 2 * stride + v % 2 * 8; };
  const std::int64_t c = pair.channels[side];
  float* sums = reinterpret_cast<float*>(t.sums) + c * kPanelLanes;
  __m256 acc[2 * V];
  for (int v = 0; v < 2 * V; ++v)
    acc[v] = t.first ? _mm256_broadcast_ss(t.ends->bias + c) : _mm256_loadu_ps(sums + of(t.sum_stride, v));
  if (t.first && t.ends->added) {
    const float* added = reinterpret_cast<const float*>(t.ends->added) + c * kPanelLanes;
    for (int v = 0; v < 2 * V; ++v) acc[v] = _mm256_add_ps(acc[v], _mm256_loadu_ps(added + of(t.ends->stride, v)));
  }
  const std::int64_t end = pair.first + std::int64_t{2} * pair.count;
  for (std::int64_t at = pair.first + side; at < end; at += 2) {
    const float* x = reinterpret_cast<const float*>(t.inputs) + t.which[at] * kPanelLanes;
    const __m256 w = _mm256_broadcast_ss(reinterpret_cast<const float*>(t.weights + at));
    for (int v = 0; v < 2 * V; ++v) acc[v] = _mm256_fmadd_ps(w, _mm256_loadu_ps(x + of(t.input_stride, v)), acc[v]);
  }
  if (t.last && t.ends->clamps)
    for (int v = 0; v < 2 * V; ++v) acc[v] = clamped(acc[v], _mm256_set1_ps(t.ends->lo), _mm256_set1_ps(t.ends->hi));
  for (int v = 0; v < 2 * V; ++v) _mm256_storeu_ps(sums + of(t.sum_stride, v), acc[v]);
}

template <int V>
void multiply(const PanelProduct& t) {
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    channel<V>(t, t.pairs[n], 0);
    channel<V>(t, t.pairs[n], 1);
  }
}

/// Channels [c, c + 8) of pixels [p, p + 8).
void finish8(const SpConvF32Finish& f, int p, std::int64_t c) {
  const float* sums = f.sums + p / kPanelLanes * f.sum_stride + c * kPanelLanes + p % kPanelLanes;
  __m256i r[8];
  for (int k = 0; k < 8; ++k) r[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + k * kPanelLanes));
  turn8(r);
  for (int k = 0; k < 8 && p + k < f.pixels; ++k) {
    const std::int64_t at = (p + k) * f.row + c;
    __m256 v = _mm256_castsi256_ps(r[k]);
    if (f.residual) v = _mm256_add_ps(v, _mm256_loadu_ps(f.residual + at));
    _mm256_storeu_ps(f.out + at, clamped(v, _mm256_set1_ps(f.lo), _mm256_set1_ps(f.hi)));
  }
}

void finish1(const SpConvF32Finish& f, int p, std::int64_t c) {
  const std::int64_t at = p * f.row + c;
  float v = f.sums[p / kPanelLanes * f.sum_stride + c * kPanelLanes + p % kPanelLanes];
  if (f.residual) v += f.residual[at];
  v = v < f.lo ? f.lo : v;
  f.out[at] = v > f.hi ? f.hi : v;
}

}  // namespace

void spconv_f32_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

void spconv_f32_finish(const SpConvF32Finish& f) noexcept {
  std::int64_t c = 0;
  for (; c + 8 <= f.channels; c += 8)
    for (int p = 0; p < f.pixels; p += 8) finish8(f, p, c);
  for (; c < f.channels; ++c)
    for (int p = 0; p < f.pixels; ++p) finish1(f, p, c);
}

}  // namespace pare::kernels::avx2
