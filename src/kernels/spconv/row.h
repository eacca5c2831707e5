// Rows of the sparse convolution's table and the packed form they read.
#pragma once

#include <vector>

#include "kernels/qconv/row.h"
#include "kernels/spconv/spconv.h"
#include "kernels/spconv/tile.h"

namespace pare::kernels {

struct SpConvKernel {
  const char* name;
  Isa isa;
  void (*tiles)(const SpConvTiles&) noexcept;
};

/// Aligned, so that no load of it crosses a cache line.
struct alignas(64) SpConvSlot {
  std::uint8_t bytes[kSpConvSlot];
};

struct SpConvPacked {
  const SpConvKernel* kernel = nullptr;
  QConvWeights::Packed common;          ///< shape, input type and zero point, bias less zero point · Σw
  std::int64_t groups = 0, blocks = 0;  ///< of input and of output channels
  PackedArray<std::uint8_t> slots;      ///< [blocks][taps][groups]
  std::vector<std::int64_t> first;      ///< [blocks]: into `data`
  int uniform = 0;                      ///< slots of every block, tap and group; 0: not as many everywhere
  PackedArray<SpConvSlot> data;
  std::vector<std::uint8_t> padding;  ///< zero points for all input channels, in the input's own type
};

}  // namespace pare::kernels
