// What a kernel of the largest of windows sees. No inline code, since files of different instruction sets include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pare/dtype.h"

namespace pare::kernels {

/// A line of outputs, of kFloat32, kUint8 or kInt8; each has a tap inside the image.
struct MaxLine {
  DType type;
  const std::byte* in;                           ///< column 0 of the first row of the windows that is inside
  std::int64_t rows, row_bytes;                  ///< those inside, and how far apart they lie
  std::int64_t in_w, kw, stride, pad, dilation;  ///< along the line
  std::int64_t out_w, pixel_bytes;
  std::byte* out;
};

}  // namespace pare::kernels
