// Rows of the table of convolutions by lines and the packed form they read.
#pragma once

#include "kernels/qconv/row.h"
#include "kernels/qlines/qlines.h"
#include "kernels/qlines/tile.h"

namespace pare::kernels {

struct QLinesKernel {
  const char* name;
  Isa isa;
  void (*line)(const QLinesLine&) noexcept;
};

struct QLinesPacked {
  const QLinesKernel* kernel = nullptr;
  QConvWeights::Packed common;  ///< shape, input type and zero point, bias less zero point · Σw
  std::int64_t steps = 0, blocks = 0;
  PackedArray<std::int8_t> weights;  ///< as QLinesLine has them
};

}  // namespace pare::kernels
