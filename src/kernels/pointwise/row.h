// Rows of the pointwise products' table and the packed form they read.
#pragma once

#include <cstddef>

#include "kernels/packed.h"
#include "kernels/pointwise/block.h"
#include "kernels/pointwise/pointwise.h"

namespace pare::kernels {

struct PointwiseKernel {
  const char* name;
  Isa isa;
  std::int64_t lanes;  ///< output channels of a vector; a panel has two, the last perhaps one
  std::int64_t rows;   ///< pixels of a block at most
  void (*block)(const PointwiseBlock&) noexcept;
};
const PointwiseKernel& best_pointwise_kernel();

/// Aligned, so that no load of weights crosses a cache line.
struct alignas(64) PointwiseLine {
  float values[16];
};

struct PointwisePacked {
  const PointwiseKernel* kernel = nullptr;
  std::int64_t in_c = 0, out_c = 0;
  PackedArray<PointwiseLine> weights;  ///< [panels][in_c][width]; the last panel may have one vector
  PackedArray<float> bias;             ///< [panels · width]

  std::int64_t width() const noexcept { return 2 * kernel->lanes; }
  std::int64_t panels() const noexcept { return (out_c + width() - 1) / width(); }
  /// Vectors of a panel.
  std::int64_t vectors(std::int64_t panel) const noexcept { return out_c - panel * width() > kernel->lanes ? 2 : 1; }
  const float* panel(std::int64_t index) const noexcept { return weights.data()->values + index * in_c * width(); }
  std::size_t lines() const noexcept {
    const std::int64_t floats = ((panels() - 1) * width() + vectors(panels() - 1) * kernel->lanes) * in_c;
    return static_cast<std::size_t>((floats + 15) / 16);
  }
};

}  // namespace pare::kernels
