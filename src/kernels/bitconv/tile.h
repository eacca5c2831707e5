// What the kernels of the convolution by bits see. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

inline constexpr int kBitPixels = 8;     ///< of a tile
inline constexpr int kBitChannels = 16;  ///< output channels of a block
inline constexpr int kBitGroup = 32;     ///< input channels of a word

/// A pixel's words: out[g · bits + j] has bit j of in[c] − lowest for channels c of group g; then one word, their sum.
struct BitEncode {
  const std::uint8_t* in;
  std::int64_t channels;
  std::uint8_t lowest;
  int bits;
  std::uint32_t* out;
};

/// sums[p · 16 + c] = Σ u · w of one block of output channels.
struct BitTile {
  const std::uint32_t* const* inputs;  ///< [taps][kBitPixels]: words of what each pixel reads at each tap
  std::int64_t taps, groups;
  int bits;
  bool binary;
  const std::uint32_t* masks;  ///< [taps][groups][1 if binary, else 2][16]: ones, minus ones
  int pixels;                  ///< 1 … kBitPixels
  std::int32_t* sums;
};

}  // namespace pare::kernels
