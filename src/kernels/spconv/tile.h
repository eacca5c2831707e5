// What a tile kernel of the sparse convolution sees. No inline code, since files of different instruction sets include
// it.
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

inline constexpr int kSpConvPixels = 14;    ///< of a tile
inline constexpr int kSpConvChannels = 16;  ///< output channels of a block
inline constexpr int kSpConvGroup = 64;     ///< input channels of a group
inline constexpr int kSpConvSlot = 128;     ///< bytes: 16 × 4 indices within the group, then as many weights

struct SpConvTile {
  const std::uint8_t* const* inputs;  ///< [taps][kSpConvPixels]: channel 0 of what each pixel reads at each tap
  std::int64_t taps, groups;
  int tail;                   ///< input channels of the last group, 1 … kSpConvGroup
  bool input_signed;          ///< s8 inputs run as u8 x + 128
  const std::uint8_t* slots;  ///< [taps][groups]: how many slots follow for each
  const std::uint8_t* data;   ///< the slots
  int pixels;                 ///< 1 … kSpConvPixels
  int channels;               ///< 1 … kSpConvChannels
  QConvFinish finish;         ///< of pixel 0 and the block's first channel; weight_zero_point is nullptr
};

}  // namespace pare::kernels
