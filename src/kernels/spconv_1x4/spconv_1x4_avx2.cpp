// Without VNNI: even and odd bytes apart as 16 bits, so that no product of two can overflow.
#include <immintrin.h>

#include "kernels/spconv_1x4/tile.h"

namespace pare::kernels::avx2 {
namespace {

struct Weights {
  __m256i even, odd;  ///< 16 bits: weights 0, 2 and 1, 3 of a block
  explicit Weights(std::uint32_t four)
      : even(_mm256_srai_epi16(_mm256_set1_epi32(static_cast<int>(four << 8)), 8)),
        odd(_mm256_srai_epi16(_mm256_set1_epi32(static_cast<int>(four)), 8)) {}
};

__m256i add_products(__m256i acc, __m256i x, const Weights& w) {
  const __m256i even = _mm256_and_si256(x, _mm256_set1_epi16(0xFF)), odd = _mm256_srli_epi16(x, 8);
  return _mm256_add_epi32(acc, _mm256_add_epi32(_mm256_madd_epi16(even, w.even), _mm256_madd_epi16(odd, w.odd)));
}

template <int V>
void channel(const PanelProduct& t, const PanelPair& pair, int side) {
  const auto of = [](std::int64_t stride, int v) { return v / 2 * stride + v % 2 * 8; };
  std::uint32_t* sums = t.sums + pair.channels[side] * std::int64_t{kPanelLanes};
  __m256i acc[2 * V];
  for (int v = 0; v < 2 * V; ++v)
    acc[v] = t.first ? _mm256_setzero_si256()
                     : _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + of(t.sum_stride, v)));
  const std::int64_t end = pair.first + std::int64_t{2} * pair.count;
  for (std::int64_t at = pair.first + side; at < end; at += 2) {
    const std::uint32_t* x = t.inputs + t.which[at] * kPanelLanes;
    const Weights w(t.weights[at]);
    for (int v = 0; v < 2 * V; ++v)
      acc[v] = add_products(acc[v], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + of(t.input_stride, v))), w);
  }
  for (int v = 0; v < 2 * V; ++v) _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + of(t.sum_stride, v)), acc[v]);
}

template <int V>
void multiply(const PanelProduct& t) {
  for (std::int64_t n = 0; n < t.pair_count; ++n) {
    channel<V>(t, t.pairs[n], 0);
    channel<V>(t, t.pairs[n], 1);
  }
}

}  // namespace

void spconv_1x4_multiply(const PanelProduct& t) noexcept {
  static constexpr void (*kByVectors[])(const PanelProduct&) = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};
  kByVectors[t.vectors - 1](t);
}

void spconv_1x4_finish(const SpConv1x4Finish& f) noexcept {
  for (std::int64_t c = 0; c < f.channels; c += 16) spconv_1x4_finish_rows(Isa::kAvx2, f, c);
}

}  // namespace pare::kernels::avx2
