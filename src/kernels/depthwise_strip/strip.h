// The algorithm of the vector rows, over a vector type V of the including file (kernels/vec_*.h; what is made of it
// must stay in that file).
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/depthwise_strip/block.h"
#include "kernels/vec_activation.h"

namespace pare::kernels {

/// Of a column in the image, or zeros.
template <class V, bool kWhole>
typename V::Type depthwise_column(const float* at, bool inside, std::int64_t left) {
  if (!inside) return V::zero();
  return kWhole ? V::load(at) : V::load_some(at, left, 0.0f);
}

/// W outputs of one vector of channels. kInside: all columns lie in the image, `inside` says so of each; kWhole: all
/// channels count, not the first `left` alone. A tap goes to all outputs before the next, since eight sums do not wait
/// for each other.
template <class V, int kKernel, int kStep, int W, bool kInside, bool kWhole>
void depthwise_vector(const DepthwiseStrip& p, std::int64_t c, std::int64_t left, unsigned inside) {
  constexpr int kColumns = (W - 1) * kStep + kKernel;
  typename V::Type sum[W];
  const auto bias = V::load(p.bias + c);
#pragma GCC unroll 8
  for (auto& s : sum) s = bias;
#pragma GCC unroll 8
  for (int i = 0; i < W; ++i) __builtin_prefetch(p.out + i * p.column + c, 1);  // may come from afar
  const float* in = p.in + p.first * p.column + c;
  const float* weights = p.weights + c;
  for (int y = 0; y < p.rows; ++y, in += p.row, weights += p.weight_row) {
    typename V::Type column[kColumns];
#pragma GCC unroll 19
    for (int j = 0; j < kColumns; ++j)
      column[j] = depthwise_column<V, kWhole>(in + j * p.column, kInside || (inside >> j & 1), left);
#pragma GCC unroll 5
    for (int x = 0; x < kKernel; ++x) {
      const auto w = V::load(weights + x * p.weight_column);
#pragma GCC unroll 8
      for (int i = 0; i < W; ++i) sum[i] = V::fma(column[i * kStep + x], w, sum[i]);
    }
  }
  const auto lo = V::set(p.lo), hi = V::set(p.hi);
#pragma GCC unroll 8
  for (int i = 0; i < W; ++i) {
    if (p.residual) sum[i] = V::add(sum[i], V::load_some(p.residual + i * p.column + c, left, 0.0f));
    sum[i] = V::min(hi, V::max(lo, sum[i]));  // NaN stays: it is the second operand
  }
  with_activation<V>(p.activation, [&sum](auto function) {
#pragma GCC unroll 8
    for (auto& s : sum) s = function(s);
  });
#pragma GCC unroll 8
  for (int i = 0; i < W; ++i) V::store_some(p.out + i * p.column + c, left, sum[i]);
}

template <class V, int kKernel, int kStep, int W>
void depthwise_outputs(const DepthwiseStrip& p) {
  constexpr int kColumns = (W - 1) * kStep + kKernel;
  // The first of the strip's columns that lies in the image, and the one behind the last.
  const std::int64_t from = p.first < 0 ? (-p.first < kColumns ? -p.first : kColumns) : 0,
                     left = p.columns - p.first, to = left < from ? from : left < kColumns ? left : kColumns;
  const unsigned inside = (1u << to) - (1u << from);
  const bool all = from == 0 && to == kColumns;
  std::int64_t c = 0;
  for (; c + V::kLanes <= p.channels; c += V::kLanes)
    all ? depthwise_vector<V, kKernel, kStep, W, true, true>(p, c, V::kLanes, inside)
        : depthwise_vector<V, kKernel, kStep, W, false, true>(p, c, V::kLanes, inside);
  if (c < p.channels) depthwise_vector<V, kKernel, kStep, W, false, false>(p, c, p.channels - c, inside);
}

template <class V, int kKernel, int kStep, std::size_t... kIndex>
void depthwise_any(const DepthwiseStrip& p, std::index_sequence<kIndex...>) {
  using Outputs = void (*)(const DepthwiseStrip&);
  static constexpr Outputs kOutputs[] = {depthwise_outputs<V, kKernel, kStep, static_cast<int>(kIndex) + 1>...};
  kOutputs[p.outputs - 1](p);
}

template <class V>
void depthwise_strip_of(const DepthwiseStrip& p) {
  constexpr auto kAll = std::make_index_sequence<kMostStrip>();
  if (p.kernel == 3)
    p.step == 1 ? depthwise_any<V, 3, 1>(p, kAll) : depthwise_any<V, 3, 2>(p, kAll);
  else
    p.step == 1 ? depthwise_any<V, 5, 1>(p, kAll) : depthwise_any<V, 5, 2>(p, kAll);
}

}  // namespace pare::kernels
