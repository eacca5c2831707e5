// Rows of the sparse f32 convolution's table and the packed form they read.
#pragma once

#include "kernels/spconv_f32/spconv_f32.h"
#include "kernels/spconv_f32/tile.h"
#include "kernels/sppanel/sppanel.h"

namespace pare::kernels {

struct SpConvF32Kernel {
  const char* name;
  Isa isa;
  void (*multiply)(const PanelProduct&) noexcept;
  void (*finish)(const SpConvF32Finish&) noexcept;
};

struct SpConvF32Packed {
  const SpConvF32Kernel* kernel = nullptr;
  PanelWeights panels;
  std::vector<float> bias;  ///< [out_c + 1]
};

}  // namespace pare::kernels
