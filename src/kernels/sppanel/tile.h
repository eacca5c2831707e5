// What the kernels of one panel see. No inline code, since files of different instruction sets include it.
//
// A value in panels, [vectors][channels][16]: 16 consecutive pixels (counted over images) of a channel lie side by
// side, then come the same pixels of the next channel; the last vector is filled up with any numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pare::kernels {

inline constexpr int kPanelLanes = 16;   ///< pixels of a vector
inline constexpr int kPanelVectors = 4;  ///< of a panel at most
inline constexpr int kPanelPixels = kPanelLanes * kPanelVectors;
inline constexpr int kPanelChunk = 128;  ///< output channels among which pairs are made
inline constexpr int kPanelBlock = 256;  ///< inputs of a block at most

/// Two output channels with as many weights, interleaved: the shorter one is filled up with weights of zero.
struct PanelPair {
  std::uint32_t channels[2];   ///< the second may be one past the last channel: its sums are not used
  std::uint32_t first, count;  ///< weights and their inputs at [first + 2 · step + channel]
};

/// panel[v · stride + 16 · i + p] = pixels[16 · v + p][i] ^ flip for i < count, v < vectors; elements of 32 bits.
struct PanelGather {
  const std::uint32_t* const* pixels;
  std::int64_t count;
  int vectors;
  std::uint32_t flip;
  std::uint32_t* panel;
  std::int64_t stride;
};

/// The same of one vector, from a value that lies in panels: to[16 · i + p] = from[x / 16 · stride + 16 · i + x % 16]
/// with x = pixels[p] − origin, zero where that is not below `count`; for i < channels.
struct PanelShift {
  const std::byte* const* pixels;
  const std::byte* origin;
  std::uint64_t count;
  const std::uint32_t* from;
  std::int64_t stride, channels;
  std::uint32_t* to;
};

/// What an f32 product begins with and how it ends: clamp(bias + added + sum, lo, hi).
struct PanelEnds {
  const float* bias;           ///< [out_c + 1]
  const std::uint32_t* added;  ///< in panels, may be the sums; nullptr: nothing
  std::int64_t stride;         ///< of it
  bool clamps;                 ///< else sums are finished elsewhere
  float lo, hi;
};

/// sums[v · sum_stride + 16 · channel + p] (+)= Σ weight · inputs[v · input_stride + 16 · input + p], f32 or int32 as
/// the family has it.
struct PanelProduct {
  const std::uint32_t* inputs;
  std::int64_t input_stride;
  const PanelPair* pairs;
  std::int64_t pair_count;
  const std::uint32_t* weights;  ///< of 32 bits: an f32, or four s8 for four consecutive channels
  const std::uint8_t* which;     ///< input of the block each is multiplied with
  std::uint32_t* sums;
  std::int64_t sum_stride;
  int vectors;
  bool first, last;           ///< block: sums are set, not added to; they are complete
  const PanelEnds* ends;      ///< nullptr in other families than f32
  const std::uint32_t* next;  ///< what the next panel reads, fetched into L2 meanwhile; nullptr: nothing
  std::int64_t next_lines;    ///< of each vector; these lie input_stride apart
};

/// rows[p · 16 + c] = sums[p / 16 · stride + 16 · c + p % 16] for c < channels ≤ 16, p < pixels.
struct PanelSpread {
  const std::uint32_t* sums;
  std::int64_t stride;
  int channels, pixels;
  std::uint32_t* rows;
};

}  // namespace pare::kernels
