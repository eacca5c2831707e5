// What a kernel sees: a panel of 16 outputs. No inline code here, since files of different instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// How codes become numbers.
enum class NBitsCode : std::uint8_t {
  kTable16,  ///< one table of at most 16 numbers
  kSigned8,  ///< the byte itself
  kRows16,   ///< a table of at most 16 numbers for each output, or one for all
  kRows256   ///< likewise of at most 256
};

/// kTable16 and kSigned8: words [blocks][words][16 outputs]. Field f of byte i of a word is the code of k = 4f + i,
/// counted from the word's first: 32 / bits codes. At 3 bits three words hold 32 codes: field f of byte i of the first
/// two the low two bits of k = 4f + i and of 16 + 4f + i, bit f of byte i of the third the highest of k = 4f + i.
///
/// kRows16, kRows256: words [16 outputs][words], so that a register holds codes of one output, and one block. Sixteen
/// words hold 128 codes of 4 bits, nibble j of word l that of k = 16j + l; or 64 bytes: in order, or in byte
/// 16q + 4i + r that of k = 16i + 4q + r (`planes`, which is how bytes come out of unpack instructions).
struct NBitsPanel {
  const std::uint32_t* words;
  const float* scale;         ///< [blocks][16]
  const float* offset;        ///< [blocks][16], added to each scaled number; nullptr: 0
  const std::int8_t* zero;    ///< [blocks][16]; int8 form only
  const float* table;         ///< kTable16, kRows16: 16 entries, kTable16 repeated where there are fewer; kRows256: 256
  std::int64_t table_stride;  ///< kRows…: from one output's table to the next; 0: one for all
  bool planes;                ///< kRows256: a table is the 256 lowest bytes of its numbers, then the next ones …
  NBitsCode code;
  int bits;
  std::int64_t blocks, words_per_block, depth;  ///< depth: codes of a block
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
  /// Codes [first, last) of a panel as f32 [k][32], of which the panel fills 16; both multiples of 128 or the end.
  void (*decode)(const NBitsPanel& panel, std::int64_t first, std::int64_t last, float* out) noexcept;
  void* scratch;  ///< kNBitsStripBytes, 64-byte aligned
};

/// Rows to bfloat16, as a tile register reads them.
struct NBitsTileRows {
  const float* a;  ///< [rows][k]
  std::int64_t rows, k;
  std::int64_t height;  ///< of the tile; rows after the last are 0
  std::uint16_t* to;    ///< [k / 32][height][32], 64-byte aligned; 0 after the last k
};

/// Many rows in bfloat16, two panels, and a part of K.
struct NBitsTiles {
  NBitsPanel panel[2];  ///< the second with words == nullptr: absent
  std::int64_t rows;
  std::int64_t height;       ///< rows of a tile, at most 16; at most kNBitsMostTiles tiles
  const std::uint16_t* a;    ///< [tiles][chunks][height][32]
  std::int64_t chunks;       ///< of 32 k, in all
  std::int64_t first, last;  ///< chunks of this call; the first ones begin y, others are added to it
  const float* bias[2];
  float* y;
  std::int64_t y_stride;
  int outputs[2];
  void (*decode)(const NBitsPanel& panel, std::int64_t first, std::int64_t last, float* out) noexcept;
  void* scratch;  ///< kNBitsStripBytes, 64-byte aligned
};

inline constexpr std::int64_t kNBitsMostTiles = 16;
inline constexpr std::int64_t kNBitsTileDepth = 256;  ///< K of a strip of bfloat16
inline constexpr std::int64_t kNBitsStripBytes = 64 * 1024;
inline constexpr std::int64_t kNBitsStripDepth = 256;  ///< K of a strip of f32; at least a block

}  // namespace pare::kernels
