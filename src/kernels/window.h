// The taps of a sliding window that lie inside the image, along one axis.
#pragma once

#include <algorithm>

#include "kernels/kernel.h"

namespace pare::kernels {

struct Window {
  std::int64_t first;  ///< first tap inside
  std::int64_t taps;   ///< number of taps inside, possibly 0
  std::int64_t start;  ///< input coordinate of `first`; 0 when there is none
};

inline Window window(std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t kernel,
                     std::int64_t dilation, std::int64_t size) noexcept {
  const std::int64_t origin = out * stride - pad;
  const std::int64_t first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  const std::int64_t last = origin < size ? std::min(kernel, (size - origin + dilation - 1) / dilation) : 0;
  if (first >= last) return {0, 0, 0};
  return {first, last - first, origin + first * dilation};
}

/// Work below which a thread costs more than it saves, in elementary operations.
inline constexpr std::int64_t kGrainOperations = 32768;

}  // namespace pare::kernels
