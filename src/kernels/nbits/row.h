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
  void (*wide)(const NBitsWide&) noexcept = nullptr;       ///< nullptr: rows go four by four through narrow
  void (*wide_int8)(const NBitsWide&) noexcept = nullptr;  ///< nullptr: no int8 form
  /// In place of narrow for numbers of 2 to 4 bits; nullptr: none.
  void (*digits)(const NBitsDigits&) noexcept = nullptr;
  /// For `wide` and `tiles`.
  void (*decode)(const NBitsPanel&, std::int64_t first, std::int64_t last, float* out) noexcept = nullptr;
  void (*to_tile)(const NBitsTileRows&) noexcept = nullptr;  ///< for `tiles`
  void (*tiles)(const NBitsTiles&) noexcept = nullptr;       ///< nullptr: no bfloat16 form
  bool planes = false;  ///< tables of 256 and their codes as NBitsPanel::planes says
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

/// The bfloat16 form (bf16.cpp), for kernels that have `tiles`.
std::size_t nbits_bf16_scratch_bytes(const NBitsMatrix::Packed& p, std::int64_t m, int threads) noexcept;
void nbits_bf16_matmul(const NBitsMatrix::Packed& p, std::int64_t m, const float* a, const float* bias, float* y,
                       void* scratch, int threads) noexcept;

}  // namespace pare::kernels
