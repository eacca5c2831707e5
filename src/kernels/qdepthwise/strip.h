// What a strip kernel sees: up to 64 channels of one row of the output. No inline code, since files of different
// instruction sets include it.
#pragma once

#include "kernels/qconv/tile.h"

namespace pare::kernels {

inline constexpr int kMaxStripTaps = 7;
inline constexpr std::int64_t kStripChannels = 64;

struct QDepthwiseStrip {
  const std::uint8_t*
      rows[kMaxStripTaps];      ///< the block's first channel of column 0 of the kh input rows; nullptr: padding
  const std::uint8_t* padding;  ///< kStripChannels times the zero point
  std::int64_t in_w, in_c;
  std::int64_t first;  ///< input column of the first tap of output 0, negative in the padding
  std::int64_t out_w;
  int kh, kw, stride;
  int channels;  ///< 1 … kStripChannels
  bool input_signed;
  const std::int8_t* weights;  ///< of the block, as pack_quads() lays them
  QConvFinish finish;          ///< of output 0 and the block's first channel
};

/// Segments of a row that share the registers of a block of few channels.
constexpr int strip_segments(std::int64_t channels) { return channels <= 16 ? 4 : channels <= 32 ? 2 : 1; }

/// Outputs that a strip kernel computes together, from inputs that it interleaves four columns at a time.
constexpr int strip_outputs(int kw, int stride) {
  return stride == 1 ? (kw == 5 ? 4 : 2) : (kw == 3 ? 3 : kw == 5 ? 2 : 1);
}
/// Quads of columns that those outputs read.
constexpr int strip_quads(int kw, int stride) { return ((strip_outputs(kw, stride) - 1) * stride + kw + 3) / 4; }
/// Output `g` reads some column of quad `q`.
constexpr bool strip_uses(int kw, int stride, int q, int g) {
  return 4 * q + 3 >= g * stride && 4 * q <= g * stride + kw - 1;
}

}  // namespace pare::kernels
