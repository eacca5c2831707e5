// What a kernel sees: a panel of 16 outputs. No inline code here, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// How codes become numbers.
enum class NBitsCode : std::uint8_t { kTable16, kTable256, kSigned8 };

/// Words [blocks][words][16 outputs]. Field f of byte i of a word is the code of k = 4f + i, counted from the word's
/// first: 32 / bits codes.
struct NBitsPanel {
  const std::uint32_t* words;
  const float* scale;       ///< [blocks][16]
  const float* offset;      ///< [blocks][16], added to each scaled number; nullptr: 0
  const std::int8_t* zero;  ///< [blocks][16]; int8 form only
  const float* table;       ///< kTable16: 16 entries, repeated where there are fewer; kTable256
  NBitsCode code;
  int bits;
  std::int64_t blocks, words_per_block;
};

/// Few rows: y = bias + a · w.
struct NBitsNarrow {
  NBitsPanel panel;
  const float* a;      ///< [rows], a_stride apart: padded to whole blocks with zeros
  const float* a_sum;  ///< [rows][blocks]: sums of a over blocks, for offsets
  std::int64_t a_stride;
  const float* bias;  ///< 16, or nullptr
  float* y;           ///< [rows], y_stride apart
  std::int64_t y_stride;
  int rows, outputs;  ///< 1 … 4, 1 … 16
};

/// Few rows and weights that are numbers: activations as integers of 23 bits in each block, in three digits of base
/// 256, so that products are integers and exact; what rounding there is, is that of f32.
struct NBitsDigits {
  NBitsPanel panel;
  const std::int8_t* digit[3];  ///< the highest first: [rows], a_stride apart
  const float* a_scale;         ///< [rows][blocks]
  const float* a_sum;           ///< [rows][blocks]: sums of the rounded activations
  std::int64_t a_stride;
  const float* bias;
  float* y;
  std::int64_t y_stride;
  int rows, outputs;
};

/// Many rows, two panels.
struct NBitsWide {
  NBitsPanel panel[2];  ///< the second with words == nullptr: absent
  std::int64_t rows;
  const float* a;          ///< as above
  const std::uint8_t* a8;  ///< int8 form: a / a_scale + 128, [rows], a_stride apart
  const float* a_scale;    ///< int8 form: [rows][blocks]
  std::int64_t a_stride;
  const float* bias[2];
  float* y;
  std::int64_t y_stride;
  int outputs[2];
  void* scratch;  ///< kNBitsStripBytes, 64-byte aligned
};

inline constexpr std::int64_t kNBitsStripBytes = 64 * 1024;
inline constexpr std::int64_t kNBitsStripDepth = 256;  ///< K of a strip of f32; at least a block

}  // namespace pare::kernels
