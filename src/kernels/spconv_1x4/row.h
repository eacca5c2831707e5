// Rows of the 1x4 sparse convolution's table and the packed form they read.
#pragma once

#include "kernels/qconv/row.h"
#include "kernels/spconv_1x4/spconv_1x4.h"
#include "kernels/spconv_1x4/tile.h"
#include "kernels/sppanel/sppanel.h"

namespace pare::kernels {

struct SpConv1x4Kernel {
  const char* name;
  Isa isa;
  void (*multiply)(const PanelProduct&) noexcept;
  void (*finish)(const SpConv1x4Finish&) noexcept;
};

struct SpConv1x4Packed {
  const SpConv1x4Kernel* kernel = nullptr;
  QConvWeights::Packed common;  ///< shape, input type and zero point, bias less zero point · Σw
  PanelWeights panels;
};

}  // namespace pare::kernels
