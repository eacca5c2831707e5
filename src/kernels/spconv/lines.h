// Where the pixels of a tile read at each line of the window of a convolution: taps side by side are one piece of
// memory, except where the window sticks out of the image to the left or to the right. Those lines are copied.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace pare::kernels {

/// at[line · stride + p], p < count: where what output pixel `pixel` + p reads at the line begins, spconv_line_taps() ·
/// in_c bytes. `input`: [batch, in_h, in_w, in_c] of one byte each; `padding`: a line of zero points. Copies go to
/// `copies`, which is moved behind them. `stride` is a multiple of 16.
void find_lines(const ConvShape& shape, const std::byte* input, const std::byte* padding, std::int64_t pixel, int count,
                int stride, const std::byte** at, std::byte*& copies) noexcept;

/// Bytes of copies that `count` consecutive pixels may need.
std::int64_t copied_line_bytes(const ConvShape& shape, std::int64_t count) noexcept;

}  // namespace pare::kernels
