// What the kernels of a block of tiles see. No inline code, since files of different instruction sets include it.
//
// A tile of m x m outputs reads edge x edge inputs, edge = m + 2; there are edge² positions in the transformed domain.
// In a block, inputs lie as [positions][chunks of 16 channels][tiles][16], sums of a panel of output channels as
// [positions][tiles][width].
#pragma once

#include <cstdint>

namespace pare::kernels {

inline constexpr int kWinogradLanes = 16;  ///< channels of a chunk
inline constexpr int kWinogradGroup = 8;   ///< tiles whose inputs are found together

/// Bᵀ d B of `count` ≤ kWinogradGroup tiles.
struct WinogradInput {
  int tile;                    ///< m: 4 or 2
  const float* const* pixels;  ///< [positions][kWinogradGroup]
  int count;
  std::int64_t channels;
  float* out;                    ///< of the first of them; lanes behind the last channel are set to zero
  std::int64_t position, chunk;  ///< floats from one to the next
};

/// sums[position][t][k] = Σ input[position][channel][t] · weights[position][channel][k], channels in ascending order.
struct WinogradProduct {
  const float* input;
  std::int64_t input_position;
  const float* weights;  ///< [positions][channels][width]
  float* sums;
  std::int64_t sums_position;
  std::int64_t tiles, channels;
  int positions, vectors;  ///< width = vectors · the row's lanes; vectors is 1 or 2
};

/// out = clamp(Aᵀ sums A + bias + residual, lo, hi) of one tile.
struct WinogradOutput {
  int tile;
  const float* sums;
  std::int64_t position;
  const float *bias, *residual;  ///< bias is as wide as the panel; residual nullptr: none
  float* out;
  std::int64_t row, column;    ///< floats from one output to the one below and right of it, of residual too
  std::int64_t rows, columns;  ///< outputs inside the image, ≤ m
  std::int64_t channels;
  float lo, hi;
};

}  // namespace pare::kernels
