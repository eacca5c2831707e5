// What one thread computes of a product of pixels by panels of output channels. No inline code: files of different
// instruction sets include it.
#pragma once

#include <cstdint>

namespace pare::kernels {

/// Pixels and panels, of all groups.
struct ProductPart {
  std::int64_t pixel_begin, pixel_end, panel_begin, panel_end;
};

}  // namespace pare::kernels
