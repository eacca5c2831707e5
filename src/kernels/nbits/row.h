// Rows of the table of low-bit products and the packed form they read.
#pragma once

#include "kernels/nbits/nbits.h"
#include "kernels/nbits/strip.h"

namespace pare::kernels {

struct NBitsKernel {
  const char* name;
  Isa isa;
  void (*narrow)(const NBitsNarrow&) noexcept;
  void (*wide)(const NBitsWide&) noexcept;       ///< nullptr: rows go four by four through narrow
  void (*wide_int8)(const NBitsWide&) noexcept;  ///< nullptr: no int8 form
  void (*digits)(const NBitsDigits&) noexcept;   ///< in place of narrow for numbers of 2 or 4 bits; nullptr: none
};

struct NBitsMatrix::Packed {
  const NBitsKernel* kernel = nullptr;
  NBitsShape shape;
  NBitsCode code = NBitsCode::kTable16;
  bool numbers = true;  ///< no codebook
  std::int64_t panels = 0, blocks = 0, words_per_block = 0;
  PackedArray<std::uint32_t> words;  ///< [panels][blocks][words_per_block][16]
  PackedArray<float> scale, offset;  ///< [panels][blocks][16]; offset empty: all zero
  PackedArray<std::int8_t> zero;     ///< likewise; empty: there is no int8 form
  std::array<float, 256> table{};

  std::int64_t padded_k() const noexcept { return blocks * words_per_block * (32 / shape.bits); }
  NBitsPanel panel(std::int64_t index) const noexcept;
};

}  // namespace pare::kernels
