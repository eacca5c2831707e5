// Where the pixels of a tile read at each tap of a convolution.
#pragma once

#include <cstddef>

#include "kernels/kernel.h"

namespace pare::kernels {

/// Pixels are read in order, and each by one output.
bool reads_as_it_lies(const ConvShape& shape) noexcept;

/// at[tap · stride + p], p < count: the input pixel that output pixel `pixel` + p reads at the tap, `padding` outside
/// the image. `input`: [batch, in_h, in_w] of `pixel_bytes` each. With strides of whole 16s what is behind `count` is
/// written too, and finding them is faster.
void find_taps(const ConvShape& shape, const void* input, std::int64_t pixel_bytes, const void* padding,
               std::int64_t pixel, int count, int stride, const std::byte** at) noexcept;

}  // namespace pare::kernels
