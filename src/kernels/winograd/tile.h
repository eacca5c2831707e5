// The algorithm of the vector rows, over a vector type V of the including file (kernels/vec_*.h; what is made of it
// must stay in that file).
#pragma once

#include "kernels/winograd/block.h"

namespace pare::kernels {

/// F(4, 3) by the points 0, ±√½, ±√2, ∞, whose matrices have smaller entries than those of the integers and an error
/// near that of the direct sum. Both functions work in place on every S-th vector.
template <class V>
struct WinogradTile4 {
  using T = typename V::Type;
  static constexpr int kTile = 4, kEdge = 6;
  static constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;

  template <int S>
  static void input(T* x) {
    const T two = V::set(2), half = V::set(0.5f), both = V::set(2.5f), a = V::set(kA), b = V::set(kB);
    const T first = V::fnma(both, x[2 * S], V::add(x[0], x[4 * S])),
            last = V::fnma(both, x[3 * S], V::add(x[S], x[5 * S]));
    const T even_a = V::fnma(two, x[2 * S], x[4 * S]), odd_a = V::fnma(two, x[S], x[3 * S]);
    const T even_b = V::fnma(half, x[2 * S], x[4 * S]), odd_b = V::fnma(half, x[S], x[3 * S]);
    x[0] = first;
    x[S] = V::fma(a, odd_a, even_a), x[2 * S] = V::fnma(a, odd_a, even_a);
    x[3 * S] = V::fma(b, odd_b, even_b), x[4 * S] = V::fnma(b, odd_b, even_b);
    x[5 * S] = last;
  }

  template <int S>
  static void output(T* x) {
    const T sum_a = V::add(x[S], x[2 * S]), dif_a = V::sub(x[S], x[2 * S]);
    const T sum_b = V::add(x[3 * S], x[4 * S]), dif_b = V::sub(x[3 * S], x[4 * S]);
    x[0] = V::add(x[0], V::add(sum_a, sum_b));
    x[S] = V::fma(V::set(kA), dif_a, V::mul(V::set(kB), dif_b));
    x[2 * S] = V::fma(V::set(kA * kA), sum_a, V::mul(V::set(kB * kB), sum_b));
    x[3 * S] = V::fma(V::set(kA * kA * kA), dif_a, V::fma(V::set(kB * kB * kB), dif_b, x[5 * S]));
  }
};

/// F(2, 3) by the points 0, ±1, ∞.
template <class V>
struct WinogradTile2 {
  using T = typename V::Type;
  static constexpr int kTile = 2, kEdge = 4;

  template <int S>
  static void input(T* x) {
    const T plus = V::add(x[2 * S], x[S]), minus = V::sub(x[2 * S], x[S]);
    x[0] = V::sub(x[0], x[2 * S]);
    x[3 * S] = V::sub(x[3 * S], x[S]);
    x[S] = plus, x[2 * S] = minus;
  }

  template <int S>
  static void output(T* x) {
    const T sum = V::add(x[S], x[2 * S]), dif = V::sub(x[S], x[2 * S]);
    x[0] = V::add(x[0], sum);
    x[S] = V::add(dif, x[3 * S]);
  }
};

template <class V, class Tile>
void winograd_input_tiles(const WinogradInput& p) {
  constexpr int kEdge = Tile::kEdge, kPositions = kEdge * kEdge;
  for (int t = 0; t < p.count; ++t)
    for (std::int64_t c = 0; c < p.channels; c += kWinogradLanes)
      for (int part = 0; part < kWinogradLanes; part += V::kLanes) {
        typename V::Type x[kPositions];
        const std::int64_t at = c + part, left = p.channels - at;
        const float* const* pixels = p.pixels + t;
        if (left >= V::kLanes) {
#pragma GCC unroll 36
          for (int i = 0; i < kPositions; ++i) x[i] = V::load(pixels[i * kWinogradGroup] + at);
        } else {
          for (int i = 0; i < kPositions; ++i)
            x[i] = left > 0 ? V::load_some(pixels[i * kWinogradGroup] + at, left, 0.0f) : V::zero();
        }
#pragma GCC unroll 6
        for (int i = 0; i < kEdge; ++i) Tile::template input<kEdge>(x + i);
        float* out = p.out + c / kWinogradLanes * p.chunk + t * kWinogradLanes + part;
#pragma GCC unroll 6
        for (int i = 0; i < kEdge; ++i) {
          Tile::template input<1>(x + i * kEdge);
#pragma GCC unroll 6
          for (int j = 0; j < kEdge; ++j) V::store(out + (i * kEdge + j) * p.position, x[i * kEdge + j]);
        }
      }
}

template <class V>
void winograd_input(const WinogradInput& p) {
  p.tile == 4 ? winograd_input_tiles<V, WinogradTile4<V>>(p) : winograd_input_tiles<V, WinogradTile2<V>>(p);
}

/// R tiles by N vectors of output channels at one position. `ahead`: what is multiplied next, a line of it a channel.
template <class V, int R, int N>
void winograd_rows(const WinogradProduct& p, const float* input, const float* weights, const float* ahead,
                   float* sums) {
  constexpr int kWidth = N * V::kLanes;
  typename V::Type sum[R][N];
#pragma GCC unroll 16
  for (auto& line : sum)
#pragma GCC unroll 2
    for (auto& s : line) s = V::zero();
  for (std::int64_t c = 0; c < p.channels; c += kWinogradLanes, input += p.tiles * kWinogradLanes) {
    const int count = static_cast<int>(p.channels - c < kWinogradLanes ? p.channels - c : kWinogradLanes);
    for (int i = 0; i < count; ++i, weights += kWidth, ahead += 16) {
      __builtin_prefetch(ahead, 0, 2);
      typename V::Type w[N];
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) w[n] = V::load(weights + n * V::kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const auto x = V::set(input[r * kWinogradLanes + i]);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) sum[r][n] = V::fma(x, w[n], sum[r][n]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) V::store(sums + r * kWidth + n * V::kLanes, sum[r][n]);
}

/// Tiles of a position in as few passes of at most kRows as there are, all about equally high. `rows[R − 1]` runs R.
template <class V, class Rows, int kRows>
void winograd_multiply(const WinogradProduct& p, const Rows (&rows)[kRows]) {
  const std::int64_t width = p.vectors * V::kLanes, passes = (p.tiles + kRows - 1) / kRows;
  for (int position = 0; position < p.positions; ++position) {
    const float* weights = p.weights + position * p.channels * width;
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      const std::int64_t from = p.tiles * pass / passes, to = p.tiles * (pass + 1) / passes;
      const float* ahead = weights + p.channels * width + (passes > 1 && pass % 2 ? p.channels * 16 : 0);
      rows[to - from - 1](p, p.input + position * p.input_position + from * kWinogradLanes, weights, ahead,
                          p.sums + position * p.sums_position + from * width);
    }
  }
}

template <class V, class Tile>
void winograd_output_tile(const WinogradOutput& p) {
  constexpr int kEdge = Tile::kEdge, kTile = Tile::kTile;
  const auto lo = V::set(p.lo), hi = V::set(p.hi);
  for (std::int64_t c = 0; c < p.channels; c += V::kLanes) {
    typename V::Type x[kEdge * kEdge];
#pragma GCC unroll 6
    for (int i = 0; i < kEdge; ++i) {
#pragma GCC unroll 6
      for (int j = 0; j < kEdge; ++j) x[i * kEdge + j] = V::load(p.sums + (i * kEdge + j) * p.position + c);
      Tile::template output<1>(x + i * kEdge);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kTile; ++i) Tile::template output<kEdge>(x + i);
    const auto bias = V::load(p.bias + c);
    const std::int64_t left = p.channels - c;
    for (std::int64_t i = 0; i < p.rows; ++i)
      for (std::int64_t j = 0; j < p.columns; ++j) {
        const std::int64_t at = i * p.row + j * p.column + c;
        auto y = V::add(x[i * kEdge + j], bias);
        if (p.residual) y = V::add(y, V::load_some(p.residual + at, left, 0.0f));
        V::store_some(p.out + at, left, V::min(hi, V::max(lo, y)));  // NaN stays: it is the second operand
      }
  }
}

template <class V>
void winograd_output(const WinogradOutput& p) {
  p.tile == 4 ? winograd_output_tile<V, WinogradTile4<V>>(p) : winograd_output_tile<V, WinogradTile2<V>>(p);
}

}  // namespace pare::kernels
