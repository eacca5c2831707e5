// Matrices as the paper writes them, one value after the other.
#include <algorithm>

#include "kernels/winograd/block.h"

namespace pare::kernels::reference {
namespace {

constexpr std::int64_t kWidth = 8;  ///< of a vector
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;

constexpr float kB4[6][6] = {{1, 0, -2.5f, 0, 1, 0},    {0, -kB, -2, kA, 1, 0},    {0, kB, -2, -kA, 1, 0},
                             {0, -kA, -0.5f, kB, 1, 0}, {0, kA, -0.5f, -kB, 1, 0}, {0, 1, 0, -2.5f, 0, 1}};
constexpr float kA4[4][6] = {
    {1, 1, 1, 1, 1, 0}, {0, kA, -kA, kB, -kB, 0}, {0, 0.5f, 0.5f, 2, 2, 0}, {0, kA / 2, -kA / 2, 2 * kB, -2 * kB, 1}};
constexpr float kB2[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}};
constexpr float kA2[2][4] = {{1, 1, 1, 0}, {0, 1, -1, 1}};

/// y [R, R] = m · x [S, S] · mᵀ
template <int R, int S>
void both_sides(const float (&m)[R][S], const float* x, float* y) noexcept {
  float half[R][S] = {};
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < S; ++j)
      for (int k = 0; k < S; ++k) half[i][j] += m[i][k] * x[k * S + j];
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < R; ++j) {
      float sum = 0;
      for (int k = 0; k < S; ++k) sum += half[i][k] * m[j][k];
      y[i * R + j] = sum;
    }
}

}  // namespace

void winograd_transform(const WinogradInput& p) noexcept {
  const int positions = (p.tile + 2) * (p.tile + 2);
  const std::int64_t lanes = (p.channels + kWinogradLanes - 1) / kWinogradLanes * kWinogradLanes;
  for (int t = 0; t < p.count; ++t)
    for (std::int64_t c = 0; c < lanes; ++c) {
      float x[36], y[36];
      for (int i = 0; i < positions; ++i) x[i] = c < p.channels ? p.pixels[i * kWinogradGroup + t][c] : 0.0f;
      p.tile == 4 ? both_sides(kB4, x, y) : both_sides(kB2, x, y);
      float* out = p.out + c / kWinogradLanes * p.chunk + t * kWinogradLanes + c % kWinogradLanes;
      for (int i = 0; i < positions; ++i) out[i * p.position] = y[i];
    }
}

void winograd_products(const WinogradProduct& p) noexcept {
  const std::int64_t width = p.vectors * kWidth;
  for (int position = 0; position < p.positions; ++position)
    for (std::int64_t t = 0; t < p.tiles; ++t) {
      float* sums = p.sums + position * p.sums_position + t * width;
      const float* weights = p.weights + position * p.channels * width;
      std::fill_n(sums, width, 0.0f);
      for (std::int64_t c = 0; c < p.channels; ++c) {
        const float x = p.input[position * p.input_position + (c / kWinogradLanes * p.tiles + t) * kWinogradLanes +
                                c % kWinogradLanes];
        for (std::int64_t k = 0; k < width; ++k) sums[k] += x * weights[c * width + k];
      }
    }
}

void winograd_finish(const WinogradOutput& p) noexcept {
  for (std::int64_t c = 0; c < p.channels; ++c) {
    float x[36], y[16];
    for (int i = 0; i < (p.tile + 2) * (p.tile + 2); ++i) x[i] = p.sums[i * p.position + c];
    p.tile == 4 ? both_sides(kA4, x, y) : both_sides(kA2, x, y);
    for (std::int64_t i = 0; i < p.rows; ++i)
      for (std::int64_t j = 0; j < p.columns; ++j) {
        const std::int64_t at = i * p.row + j * p.column + c;
        float v = y[i * p.tile + j] + p.bias[c];
        if (p.residual) v += p.residual[at];
        v = v < p.lo ? p.lo : v;  // NaN stays
        p.out[at] = v > p.hi ? p.hi : v;
      }
  }
}

}  // namespace pare::kernels::reference
