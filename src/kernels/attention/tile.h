// The algorithm of the vector rows, over a vector type V of the including file (whose anonymous namespace keeps what is
// made of it in that file): V::kLanes; zero, set, load, store, load_some, store_some (the first n lanes), fma, max,
// add, mul, exp_negative (0 below −87.3; NaN stays), sum, largest.
#pragma once

#include "kernels/attention/block.h"

namespace pare::kernels {

/// R queries times P panels of keys.
template <class V, int R, int P>
void score_tile(const AttentionBlock& b, std::int64_t query, std::int64_t panel, std::int64_t row) {
  constexpr int kVectors = P * static_cast<int>(kKeyPanel) / V::kLanes, kInPanel = static_cast<int>(kKeyPanel) / V::kLanes;
  typename V::Type sums[R][kVectors];
#pragma GCC unroll 8
  for (auto& line : sums)
#pragma GCC unroll 8
    for (auto& sum : line) sum = V::zero();
  const float* keys = b.keys_packed + panel * b.width * kKeyPanel;
  const float* q = b.q + query * b.q_position;
  for (std::int64_t d = 0; d < b.width; ++d) {
    typename V::Type k[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      k[v] = V::load(keys + (v / kInPanel * b.width + d) * kKeyPanel + v % kInPanel * V::kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto x = V::set(q[r * b.q_position + d]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[r][v] = V::fma(x, k[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) V::store(b.scores + r * row + panel * kKeyPanel + v * V::kLanes, sums[r][v]);
}

template <class V, int R>
void score(const AttentionBlock& b, std::int64_t query, std::int64_t panels) {
  constexpr int kPanels = V::kLanes == kKeyPanel ? 4 : 1;
  const std::int64_t row = panels * kKeyPanel;
  std::int64_t panel = 0;
  for (; panel + kPanels <= panels; panel += kPanels) score_tile<V, R, kPanels>(b, query, panel, row);
  for (; panel < panels; ++panel) score_tile<V, R, 1>(b, query, panel, row);
}

/// scale · score + mask, then the exponentials; returns 1 / their sum.
template <class V>
float soften(const AttentionBlock& b, const float* mask, float* scores) {
  const auto scale = V::set(b.scale), shared = V::set(mask && b.mask_key == 0 ? *mask : 0.0f);
  auto largest = V::set(-__builtin_inff());
  for (std::int64_t i = 0; i < b.keys; i += V::kLanes) {
    const std::int64_t left = b.keys - i;
    const auto add = mask && b.mask_key ? V::load_some(mask + i, left, 0.0f) : shared;
    V::store(scores + i, V::fma(V::load(scores + i), scale, add));
    largest = V::max(V::load_some(scores + i, left, -__builtin_inff()), largest);
  }
  const auto shift = V::set(-V::largest(largest));
  auto sum = V::zero();
  for (std::int64_t i = 0; i < b.keys; i += V::kLanes) {
    V::store(scores + i, V::exp_negative(V::add(V::load(scores + i), shift)));
    sum = V::add(V::load_some(scores + i, b.keys - i, 0.0f), sum);
  }
  return 1.0f / V::sum(sum);
}

/// R rows of exponentials times up to C vectors of the values.
template <class V, int R, int C>
void mix_tile(const AttentionBlock& b, const float* scores, std::int64_t row, const float* factor, const float* v,
              std::int64_t columns, float* out) {
  typename V::Type sums[R][C];
#pragma GCC unroll 8
  for (auto& line : sums)
#pragma GCC unroll 8
    for (auto& sum : line) sum = V::zero();
  const std::int64_t last = columns - (C - 1) * V::kLanes;  // in the last vector
  for (std::int64_t key = 0; key < b.keys; ++key, v += b.v_position) {
    typename V::Type x[C];
#pragma GCC unroll 4
    for (int c = 0; c + 1 < C; ++c) x[c] = V::load(v + c * V::kLanes);
    x[C - 1] = V::load_some(v + (C - 1) * V::kLanes, last, 0.0f);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto p = V::set(scores[r * row + key]);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sums[r][c] = V::fma(p, x[c], sums[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* to = out + r * b.out_position;
    const auto f = V::set(factor[r]);
#pragma GCC unroll 4
    for (int c = 0; c + 1 < C; ++c) V::store(to + c * V::kLanes, V::mul(sums[r][c], f));
    V::store_some(to + (C - 1) * V::kLanes, last, V::mul(sums[r][C - 1], f));
  }
}

template <class V, int R>
void mix(const AttentionBlock& b, std::int64_t query, std::int64_t row, const float* factor) {
  constexpr std::int64_t kColumns = 2 * V::kLanes;
  float* out = b.out + query * b.out_position;
  for (std::int64_t c = 0; c < b.value_width; c += kColumns) {
    const std::int64_t left = b.value_width - c, columns = left < kColumns ? left : kColumns;
    if (columns > V::kLanes)
      mix_tile<V, R, 2>(b, b.scores, row, factor, b.v + c, columns, out + c);
    else
      mix_tile<V, R, 1>(b, b.scores, row, factor, b.v + c, columns, out + c);
  }
}

template <class V, int R>
void queries(const AttentionBlock& b, std::int64_t query) {
  const std::int64_t panels = b.panels(), row = panels * kKeyPanel;
  score<V, R>(b, query, panels);
  float factor[R];
  for (int r = 0; r < R; ++r)
    factor[r] = soften<V>(b, b.mask ? b.mask + (query + r) * b.mask_query : nullptr, b.scores + r * row);
  mix<V, R>(b, query, row, factor);
}

template <class V>
void attention_tiles(const AttentionBlock& b) {
  std::int64_t query = 0;
  for (; query + kQueryRows <= b.queries; query += kQueryRows) queries<V, kQueryRows>(b, query);
  for (; query < b.queries; ++query) queries<V, 1>(b, query);
}

}  // namespace pare::kernels
