// What a row of the sparse convolution sees. No inline code, since files of different instruction sets include it.
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

inline constexpr int kSpConvPixels = 14;    ///< of a tile
inline constexpr int kSpConvPointers = 16;  ///< of a tile at a line
inline constexpr int kSpConvTiles = 8;      ///< at once, at the most
inline constexpr int kSpConvChannels = 16;  ///< output channels of a block
inline constexpr int kSpConvSpan = 64;      ///< output channels among which rows are grouped
inline constexpr int kSpConvWindow = 64;    ///< inputs that a slot picks from
inline constexpr int kSpConvSlot = 128;     ///< bytes: 16 × 4 indices within the window, then as many weights

/// Which inputs some slots pick from.
struct SpConvWindow {
  std::uint16_t start;  ///< in its line; the window ends within it, if the line is that long
  std::uint16_t slots;
};

/// Tiles of pixels, one after the other, and all of `channels` output channels, by blocks of kSpConvChannels. Several
/// at once, since what an epilogue needs takes a tile of few channels long to set up.
struct SpConvTiles {
  int tiles;
  const std::uint8_t* const* inputs;  ///< [tiles][lines][kSpConvPointers]: where what each pixel reads at a line begins
  std::int64_t lines, length;         ///< of the window of the convolution; bytes of one
  bool input_signed;                  ///< s8 inputs run as u8 x + 128
  const std::uint32_t* counts;        ///< [blocks][lines]: windows of 64 inputs
  const SpConvWindow* windows;
  std::int64_t window_count;  ///< in all
  int uniform;                ///< slots of every window; 0: not as many everywhere
  bool regular;               ///< windows are the groups of 64 inputs of each line
  const std::uint8_t* data;   ///< the slots
  const std::uint8_t* ahead;  ///< slots that are fetched into L2 meanwhile, a line of the cache for each window of each
                              ///< tile; nullptr: none
  int pixels;                 ///< of each, 1 … kSpConvPixels
  std::int64_t channels;
  QConvFinish finish;  ///< of pixel 0 of the first tile and the first channel; weight_zero_point is nullptr
  bool bounded;        ///< qconv_bounded
};

/// to[c] = from[order[c]], c < channels ≤ kSpConvSpan, in each of the rows; elements of 1 or 4 bytes.
struct SpConvArrange {
  const void* from;
  void* to;
  std::int64_t from_stride, to_stride;  ///< elements from row to row
  int rows, channels, bytes;
  const std::uint8_t* order;  ///< [kSpConvSpan], what is behind `channels` below kSpConvSpan too
};

}  // namespace pare::kernels
