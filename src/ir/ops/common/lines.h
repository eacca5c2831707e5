// A tensor seen as lines along one axis (TopK, CumSum, ArgMax …).
#pragma once

#include <cstdint>

#include "ir/ops/common/numeric.h"

namespace pare::ir::ops {

struct Lines {
  std::int64_t count, length, stride;  ///< lines; elements of each and between them
  /// Index of a line's first element.
  std::int64_t start(std::int64_t line) const { return line / stride * stride * length + line % stride; }
};

/// `axis` is not negative. Lines of an empty axis are counted, and are empty.
inline Lines lines_of(const Dims& dims, std::int64_t axis) {
  Lines lines{1, dims[static_cast<std::size_t>(axis)], 1};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (static_cast<std::int64_t>(i) != axis) lines.count *= dims[i];
    if (static_cast<std::int64_t>(i) > axis) lines.stride *= dims[i];
  }
  return lines;
}

}  // namespace pare::ir::ops
