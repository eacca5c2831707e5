// Rows of the table of convolutions by bits and the packed form they read.
#pragma once

#include <vector>

#include "kernels/bitconv/bitconv.h"
#include "kernels/bitconv/tile.h"
#include "kernels/qconv/row.h"

namespace pare::kernels {

struct BitConvKernel {
  const char* name;
  Isa isa;
  void (*encode)(const BitEncode&) noexcept;
  void (*tile)(const BitTile&) noexcept;
};

struct BitConvPacked {
  const BitConvKernel* kernel = nullptr;
  QConvWeights::Packed common;  ///< shape, input type and zero point, bias plus (lowest − zero point) · Σw
  BitInputs inputs;
  bool binary = false;
  std::int64_t groups = 0, blocks = 0;    ///< of input and of output channels
  PackedArray<std::uint32_t> masks;       ///< [blocks][taps][groups][1 if binary, else 2][16]
  std::vector<std::uint32_t> padding;     ///< words of a pixel outside the image

  std::int64_t words() const noexcept { return groups * inputs.bits + 1; }  ///< of a pixel
  std::int64_t block_words() const noexcept { return common.shape.taps() * groups * (binary ? 1 : 2) * kBitChannels; }
};

}  // namespace pare::kernels
