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
  void (*arrange)(const SpConvArrange&) noexcept;
};

/// Aligned, so that no load of it crosses a cache line.
struct alignas(64) SpConvSlot {
  std::uint8_t bytes[kSpConvSlot];
};

struct SpConvPacked {
  const SpConvKernel* kernel = nullptr;
  QConvWeights::Packed common;         ///< shape, input type and zero point, bias less zero point · Σw as rows go
  std::int64_t lines = 0, length = 0;  ///< of the window of the convolution; inputs of one
  std::int64_t blocks = 0;             ///< of output channels
  PackedArray<std::uint32_t> counts;   ///< [blocks][lines]: windows
  PackedArray<SpConvWindow> windows;
  PackedArray<SpConvSlot> data;
  std::vector<std::int64_t> first_window, first_slot;  ///< [blocks + 1] of the blocks
  int uniform = 0;                                     ///< these and those below as SpConvTiles has them
  bool regular = false;
  PackedArray<std::uint8_t> order;    ///< [spans][kSpConvSpan]: which row of its span is where; empty: all as they were
  std::vector<std::uint8_t> places;   ///< [spans][kSpConvSpan]: where each row is
  std::vector<std::uint8_t> padding;  ///< a line of zero points, in the input's own type
};

}  // namespace pare::kernels
