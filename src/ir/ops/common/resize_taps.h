// One axis of Resize: coordinate transforms and interpolation coefficients, as the ONNX operator text defines them.
#pragma once

#include <cstdint>
#include <string>

#include "ir/ops/common/resize.h"

namespace pare::ir::ops {

struct TapRule {
  std::string mode;       ///< nearest, linear, cubic
  std::string transform;  ///< coordinate_transformation_mode
  std::string nearest;    ///< nearest_mode
  double cubic_a = -0.75;
  bool exclude_outside = false, antialias = false;
};

struct ResizedAxis {
  std::int64_t in, out;
  double scale;  ///< may differ from out / in: out is rounded
  double roi_start = 0, roi_end = 1;
};

AxisTaps make_taps(const TapRule& rule, const ResizedAxis& axis);

}  // namespace pare::ir::ops
