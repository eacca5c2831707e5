// Rows of the table of low-bit integer products and the packed form they read.
#pragma once

#include "kernels/qbits/panel.h"
#include "kernels/qbits/qbits.h"
#include "kernels/qconv/row.h"

namespace pare::kernels {

struct QBitsKernel {
  const char* name;
  Isa isa;
  void (*multiply)(const QBitsPanel&) noexcept;
};

struct QBitsPacked {
  const QBitsKernel* kernel = nullptr;
  QConvWeights::Packed common;  ///< shape, input type and zero point, bias less zero point · Σw
  QBitsCode code;
  std::int64_t panels = 0, words = 0;  ///< words of an output
  PackedArray<std::uint32_t> codes;    ///< [panels][words][16]

  std::int64_t depth() const noexcept { return words * (32 / code.bits); }
};

}  // namespace pare::kernels
