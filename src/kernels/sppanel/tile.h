// What the kernels of one panel see. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

inline constexpr int kPanelLanes = 16;   ///< pixels of a vector
inline constexpr int kPanelVectors = 4;  ///< of a panel at most
inline constexpr int kPanelPixels = kPanelLanes * kPanelVectors;
inline constexpr int kPanelChunk = 128;  ///< output channels among which pairs are made

struct PanelEntry {
  std::uint32_t weight;  ///< 32 bits: an f32, or four s8 for four consecutive channels
  std::uint32_t input;   ///< within the block
};

/// Two output channels with as many entries, interleaved: the shorter one is filled up with weights of zero.
struct PanelPair {
  std::uint32_t channels[2];   ///< the second may be one past the last channel: its sums are not used
  std::uint32_t first, count;  ///< entries at [first + 2 · step + channel]
};

/// panel[i · 16 · vectors + p] = pixels[p][i] ^ flip for i < count, p < 16 · vectors; elements of 32 bits.
struct PanelGather {
  const std::uint32_t* const* pixels;
  std::int64_t count;
  int vectors;
  std::uint32_t flip;
  std::uint32_t* panel;
};

/// sums[channel · 16 · vectors + p] (+)= Σ weight · panel[input · 16 · vectors + p], f32 or int32 as the family has it.
struct PanelProduct {
  const std::uint32_t* panel;
  const PanelPair* pairs;
  std::int64_t pair_count;
  const PanelEntry* entries;
  std::uint32_t* sums;
  bool first;  ///< block: sums are set, not added to
  int vectors;
};

/// rows[p · 16 + c] = sums[(channel + c) · 16 · vectors + p] for c < channels ≤ 16, p < pixels.
struct PanelSpread {
  const std::uint32_t* sums;
  std::int64_t channel;
  int channels, pixels, vectors;
  std::uint32_t* rows;
};

}  // namespace pare::kernels
