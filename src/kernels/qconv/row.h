// Rows of the integer convolution table and the packed form they read.
#pragma once

#include <vector>

#include "kernels/product_part.h"
#include "kernels/qconv/qconv.h"
#include "kernels/qconv/tile.h"

namespace pare::kernels {

/// What the gathered inputs look like: x − in_zp as s16; or x as u8 (s8 inputs + 128), or x as it is, with the zero
/// point folded into the bias.
enum class QConvInput { kCentredS16, kRawU8, kRaw };

struct QConvCall {
  const QConvWeights::Packed* weights;
  ConvShape shape;
  const void* input;
  const QConvEpilogue* epilogue;
  void* output;
};

struct QConvKernel {
  const char* name;
  Isa isa;
  std::int64_t rows, lanes, depth;
  QConvInput input;
  bool chunked;                             ///< inputs lie in chunks (kernels/amx/chunks.h)
  void (*tile)(const QConvTile&) noexcept;  ///< of the rows that qconv_run_tiles runs; nullptr for others
  std::size_t (*scratch_bytes)(const QConvWeights::Packed&, const ConvShape&) noexcept;  ///< of a part; nullptr: none
  void (*run)(const QConvCall&, const ProductPart&, std::byte* scratch) noexcept;
};

struct QConvWeights::Packed {
  const QConvKernel* kernel = nullptr;
  ConvShape shape;
  bool input_signed = false;
  std::int32_t input_zero_point = 0;            ///< in the input's own type
  std::int64_t steps = 0, panels = 0;           ///< per group: ceil(k / depth) or those of chunks, ceil(group_out / lanes)
  PackedArray<std::int8_t> weights;             ///< [groups][panels][steps][lanes][depth], zero-filled at the edges
  std::vector<std::int32_t> bias;               ///< [out_c]; less in_zp · Σw for raw inputs
  std::vector<std::int32_t> weight_zero_point;  ///< [out_c], s8; empty when all are 0
};

/// The epilogue for channels from `channel` and pixels from `pixel` on.
QConvFinish qconv_finish_at(const QConvWeights::Packed& weights, const QConvEpilogue& epilogue, std::int64_t pixel,
                            std::int64_t channel, void* output) noexcept;
/// The epilogue of `channels` up to 16 of `rows` pixels, by the best of `isa`; all give the same bits. sums [rows][16].
void qconv_finish_block(Isa isa, const QConvFinish& finish, int rows, int channels, const std::int32_t* sums) noexcept;
/// The part of the tile kernels, and its scratch in bytes.
void qconv_run_tiles(const QConvCall& call, const ProductPart& part, std::byte* scratch) noexcept;
std::size_t qconv_tile_scratch_bytes(const QConvWeights::Packed& weights, const ConvShape&) noexcept;

}  // namespace pare::kernels
