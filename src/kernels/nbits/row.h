// Rows of the table of low-bit products and the packed form they read.
#pragma once

#include <vector>

#include "kernels/nbits/nbits.h"
#include "kernels/nbits/strip.h"

namespace pare::kernels {

inline constexpr std::int64_t kNBitsLanes = 16;  ///< outputs of a panel

struct NBitsKernel {
  const char* name;
  Isa isa;
  void (*narrow)(const NBitsNarrow&) noexcept;
  void (*wide)(const NBitsWide&) noexcept;       ///< nullptr: rows go four by four through narrow
  void (*wide_int8)(const NBitsWide&) noexcept;  ///< nullptr: no int8 form
  void (*digits)(const NBitsDigits&) noexcept;   ///< in place of narrow for numbers of 2 to 4 bits; nullptr: none
  void (*decode)(const NBitsPanel&, std::int64_t first, std::int64_t last, float* out) noexcept;  ///< for `wide`
  bool planes;  ///< tables of 256 and their codes as NBitsPanel::planes says
};

/// Of those that this CPU runs.
const NBitsKernel& best_nbits_kernel() noexcept;

struct NBitsMatrix::Packed {
  const NBitsKernel* kernel = nullptr;
  NBitsShape shape;
  NBitsCode code = NBitsCode::kTable16;
  bool numbers = true;  ///< no codebook
  std::int64_t panels = 0, blocks = 0, words_per_block = 0, depth = 0;  ///< depth: codes of a block
  PackedArray<std::uint32_t> words;  ///< [panels][blocks][words_per_block][16], or as NBitsPanel says
  PackedArray<float> scale, offset;  ///< [panels][blocks][16]; offset empty: all zero
  PackedArray<std::int8_t> zero;     ///< likewise; empty: there is no int8 form
  std::vector<float> table;  ///< one, or one for each output
  std::int64_t table_stride = 0;

  bool by_rows() const noexcept { return code == NBitsCode::kRows16 || code == NBitsCode::kRows256; }
  std::int64_t padded_k() const noexcept { return blocks * depth; }
  NBitsPanel panel(std::int64_t index) const noexcept;
};

}  // namespace pare::kernels
