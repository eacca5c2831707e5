// The algorithm of the vector rows, over a vector type V of the including file (kernels/vec_*.h; what is made of it
// must stay in that file).
#pragma once

#include "kernels/pointwise/block.h"
#include "kernels/vec_activation.h"

namespace pare::kernels {

inline constexpr std::int64_t kManyChannels = 64;

/// Writes the sums of R pixels by N vectors; kWhole: all of every vector, since masked stores take longer.
template <class V, int R, int N, bool kWhole>
inline __attribute__((always_inline)) void pointwise_finish(const PointwiseBlock& p,
                                                            const typename V::Type (&sum)[R][N]) {
  const auto lo = V::set(p.lo), hi = V::set(p.hi);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      const std::int64_t at = r * p.stride + n * V::kLanes, left = p.columns - n * V::kLanes;
      auto y = sum[r][n];
      if (p.residual) y = V::add(y, kWhole ? V::load(p.residual + at) : V::load_some(p.residual + at, left, 0.0f));
      y = V::min(hi, V::max(lo, y));  // NaN stays: it is the second operand
      kWhole ? V::store(p.out + at, y) : V::store_some(p.out + at, left, y);
    }
}

/// R pixels by N vectors of output channels.
template <class V, int R, int N>
void pointwise_rows(const PointwiseBlock& p) {
  constexpr int kWidth = N * V::kLanes;
  const std::int64_t stride = p.channels;
  // What the end of the block reads and writes may come from afar: on the way while channels are summed, unless these
  // are few: then it would hold them up.
  if (p.channels >= kManyChannels) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) __builtin_prefetch(p.out + r * p.stride + n * V::kLanes, 1);
  }
  if (p.residual) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) __builtin_prefetch(p.residual + r * p.stride + n * V::kLanes);
  }
  typename V::Type sum[R][N];
#pragma GCC unroll 16
  for (auto& line : sum)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) line[n] = V::load(p.bias + n * V::kLanes);
  // A pointer for every third pixel: the two behind it are addressed by once and twice the stride.
  const float *in0 = p.in, *in3 = in0 + (R > 3 ? 3 * stride : 0), *in6 = in3 + (R > 6 ? 3 * stride : 0),
              *in9 = in6 + (R > 9 ? 3 * stride : 0), *in12 = in9 + (R > 12 ? 3 * stride : 0);
  const float *weights = p.weights, *ahead = p.ahead;
  for (std::int64_t c = 0; c < p.channels; ++c, weights += kWidth, ahead += p.step) {
    __builtin_prefetch(ahead, 0, 2);
    typename V::Type w[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) w[n] = V::load(weights + n * V::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float* in = r < 3 ? in0 : r < 6 ? in3 : r < 9 ? in6 : r < 12 ? in9 : in12;
      const auto x = V::set(in[r % 3 * stride + c]);
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) sum[r][n] = V::fma(x, w[n], sum[r][n]);
    }
  }
  if (p.columns == kWidth)
    pointwise_finish<V, R, N, true>(p, sum);
  else
    pointwise_finish<V, R, N, false>(p, sum);
}

/// In place, while the block's outputs are in L1.
template <class V>
void activate(const PointwiseBlock& p) {
  with_activation<V>(p.activation, [&p](auto function) {
    for (int r = 0; r < p.rows; ++r)
      for (std::int64_t k = 0; k < p.columns; k += V::kLanes) {
        float* const at = p.out + r * p.stride + k;
        V::store_some(at, p.columns - k, function(V::load_some(at, p.columns - k, 0.0f)));
      }
  });
}

/// `one[R − 1]` runs R pixels by one vector, `two` by two.
template <class V, class Rows, int kRows>
void pointwise_tile(const PointwiseBlock& p, const Rows (&one)[kRows], const Rows (&two)[kRows]) {
  (p.vectors == 2 ? two : one)[p.rows - 1](p);
  activate<V>(p);
}

}  // namespace pare::kernels
