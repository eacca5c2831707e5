// LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization, f32: every group of consecutive
// elements is normalized by its own moments.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

/// `groups` groups of `size` consecutive elements. Element i of group g is scaled and shifted by entry
/// ((g mod period) · size + i) / plane of `scale` and `bias`: LayerNormalization has period 1 and plane 1; groups of
/// channels have period groups-per-image and plane H·W.
struct NormShape {
  std::int64_t groups = 0, size = 0, period = 1, plane = 1;
  bool subtract_mean = true;  ///< false: RMSNormalization, y = x / √(mean(x²) + epsilon)
  float epsilon = 1e-5f;
};

/// bias may be nullptr; in == out allowed. The moments are summed in f64, in an order that does not depend on threads.
void normalize(const NormShape& shape, const float* in, const float* scale, const float* bias, float* out) noexcept;

}  // namespace pare::kernels
