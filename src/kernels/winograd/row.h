// Rows of Winograd's table and the packed form they read.
#pragma once

#include <vector>

#include "base/huge_memory.h"
#include "kernels/winograd/block.h"
#include "kernels/winograd/winograd.h"

namespace pare::kernels {

struct WinogradKernel {
  const char *name4, *name2;  ///< with tiles of 4x4 and of 2x2
  Isa isa;
  std::int64_t lanes;  ///< output channels of a vector; a panel has one or two vectors
  void (*transform)(const WinogradInput&) noexcept;
  void (*products)(const WinogradProduct&) noexcept;
  void (*finish)(const WinogradOutput&) noexcept;
};
const WinogradKernel& best_winograd_kernel();

struct WinogradPacked {
  const WinogradKernel* kernel = nullptr;
  int tile = 0;
  std::int64_t in_c = 0, out_c = 0;
  HugeVector<float> weights;   ///< [panels][positions][in_c][width]; the last panel may have one vector
  std::vector<float> bias;     ///< [panels · 2 · lanes]
  std::vector<float> padding;  ///< [in_c]: what lies outside the image

  std::int64_t edge() const noexcept { return tile + 2; }
  std::int64_t positions() const noexcept { return edge() * edge(); }
  std::int64_t width() const noexcept { return 2 * kernel->lanes; }
  std::int64_t panels() const noexcept { return (out_c + width() - 1) / width(); }
  /// Vectors of a panel.
  std::int64_t vectors(std::int64_t panel) const noexcept { return out_c - panel * width() > kernel->lanes ? 2 : 1; }
  const float* panel(std::int64_t index) const noexcept {
    return weights.data() + index * positions() * in_c * width();
  }
  /// Floats of all panels.
  std::int64_t size() const noexcept {
    return ((panels() - 1) * width() + vectors(panels() - 1) * kernel->lanes) * positions() * in_c;
  }
};

}  // namespace pare::kernels
