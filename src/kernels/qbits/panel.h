// What the kernels of low-bit integer products see. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

inline constexpr int kQBitsRows = 4, kQBitsOutputs = 16;

/// sums[row · 16 + output] = Σ x · code of a panel of 16 outputs. Words [words][16 outputs]; field f of byte i of a word is
/// the code of k = 4f + i, counted from the word's first: 32 / bits codes.
struct QBitsPanel {
  const std::uint32_t* codes;
  std::int64_t words;
  int bits;
  const std::uint8_t* x;  ///< [rows], stride apart: as many as there are codes
  std::int64_t stride;
  int rows;  ///< 1 … kQBitsRows
  std::int32_t* sums;
};

}  // namespace pare::kernels
