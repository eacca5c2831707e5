// What a tile kernel of the sparse convolution sees. No inline code, since files of different instruction sets include
// it.
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

inline constexpr int kSpConvPixels = 14;    ///< of a tile
inline constexpr int kSpConvPointers = 16;  ///< of a tile at a tap
inline constexpr int kSpConvTiles = 4;      ///< at once
inline constexpr int kSpConvChannels = 16;  ///< output channels of a block
inline constexpr int kSpConvGroup = 64;     ///< input channels of a group
inline constexpr int kSpConvSlot = 128;     ///< bytes: 16 × 4 indices within the group, then as many weights

/// Tiles of pixels, one after the other, and all of `channels` output channels, by blocks of kSpConvChannels. Several at
/// once, since what an epilogue needs takes a tile of few channels long to set up.
struct SpConvTiles {
  int tiles;
  const std::uint8_t* const* inputs;  ///< [tiles][taps][kSpConvPointers]: channel 0 of what each pixel reads at each tap
  std::int64_t taps, groups;
  int tail;                   ///< input channels of the last group, 1 … kSpConvGroup
  bool input_signed;          ///< s8 inputs run as u8 x + 128
  const std::uint8_t* slots;  ///< [blocks][taps][groups]: how many slots follow for each
  int uniform;                ///< how many everywhere; 0: not as many
  const std::uint8_t* data;   ///< the slots
  const std::uint8_t* ahead;  ///< slots that are fetched into L2 meanwhile, a line for each block, tap and group of each
                              ///< tile; nullptr: none
  int pixels;                 ///< of each, 1 … kSpConvPixels
  std::int64_t channels;
  QConvFinish finish;  ///< of pixel 0 of the first tile and the first channel; weight_zero_point is nullptr
  bool bounded;        ///< qconv_bounded
};

}  // namespace pare::kernels
