// Rounding to an integer grid and its gradients in one pass over memory, on the CPU. By tensor operators it would take
// eight passes forward and a dozen back, between layers that a fast convolution already waits for.
#pragma once

#include <cstdint>

namespace pare::train {

/// y = step · round(clamp(x/step, low, high)), half to even; low and high are integers below 2²² in magnitude.
struct Grid {
  float step, low, high;
  /// ∂y/∂s where x/step is at or below low, and at or above high.
  float low_slope, high_slope;
  /// ∂y/∂s in between: round(x/step) − x/step (Esser et al. 2020), or 0.
  bool rounding;
};

void round_to_grid(const float* x, float* y, std::int64_t count, const Grid& grid) noexcept;

/// Sums over the elements of gradient · ∂y/∂s, and of the gradient where y saturates.
struct GridSums {
  double slope = 0, saturated = 0;
};
/// dx = gradient inside the range and 0 outside.
GridSums grid_gradients(const float* x, const float* gradient, float* dx, std::int64_t count,
                        const Grid& grid) noexcept;

}  // namespace pare::train
