// What a tile kernel sees: rows of gathered inputs, one panel of weights, one block of outputs. No inline code here,
// since files of different instruction sets include it.
#pragma once

#include <cstdint>

#include "pare/dtype.h"

namespace pare::kernels {

/// The float half of the epilogue (QConvEpilogue), as one tile sees it.
struct QConvFinish {
  const float* multiplier;  ///< of the tile's first channel; as bias below
  const std::int32_t* bias;
  const std::int32_t* weight_zero_point;  ///< nullptr: all zero
  const std::int32_t* row_sum;            ///< Σ(x − in_zp) of each row; read when weight_zero_point is set
  DType residual_type, output_type;
  const void* residual;  ///< of the tile's first row and channel; rows are `residual_stride` elements apart
  void* output;          ///< likewise, `stride`
  std::int64_t residual_stride, stride;
  float residual_multiplier;
  std::int32_t residual_zero_point;
  float lo, hi;  ///< the activation clamp, for 8-bit output also the type's range less out_zero_point
  std::int32_t out_zero_point;
  float first_multiplier;  ///< 0: the sum is not quantized before the residual is added
  float first_lo, first_hi;
};

struct QConvTile {
  const void* input;           ///< row r at input + r · input_stride bytes, steps · depth elements
  std::int64_t input_stride;   ///< bytes
  const std::int8_t* weights;  ///< [steps][lanes][depth]
  std::int64_t steps;
  int rows;      ///< 1 … the kernel's rows
  int channels;  ///< 1 … lanes; fewer than lanes only in a group's last panel
  QConvFinish finish;
};

/// Of an element that an epilogue adds or gives: 1 or 4.
int qconv_element_bytes(DType type) noexcept;
/// The epilogue from a pixel and a channel of the tile on.
QConvFinish qconv_finish_moved(const QConvFinish& finish, std::int64_t pixel, std::int64_t channel) noexcept;
/// Scalar epilogue of `channels` accumulators (bias not yet added) of one row.
void qconv_finish(const QConvFinish& finish, int row, int channels, const std::int32_t* acc) noexcept;
/// The same from channel `first` on, of row 0.
void qconv_finish_from(const QConvFinish& finish, std::int64_t first, int channels, const std::int32_t* acc) noexcept;

namespace avx2 {
/// The same of `rows` rows × 16 channels from `first` on, in vectors; sums [rows][16].
void qconv_finish16(const QConvFinish& finish, int rows, std::int64_t first, const std::int32_t* sums) noexcept;
}  // namespace avx2

namespace avx512vnni {
/// The same of `channels` up to 16 from the tile's first on; sums [rows][16].
void qconv_finish_rows(const QConvFinish& finish, int rows, int channels, const std::int32_t* sums) noexcept;
}  // namespace avx512vnni

}  // namespace pare::kernels
