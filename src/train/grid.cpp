#include "train/grid.h"

#include <algorithm>

namespace pare::train {
namespace {

/// Adding and taking away 1.5 · 2²³ leaves no bit for a fraction: rounds to the nearest even integer below 2²².
inline float round_even(float value) noexcept {
  constexpr float kShift = 12582912.0F;
  return (value + kShift) - kShift;
}

}  // namespace

void round_to_grid(const float* x, float* y, std::int64_t count, const Grid& grid) noexcept {
  const float step = grid.step, low = grid.low, high = grid.high;
  for (std::int64_t i = 0; i < count; ++i) y[i] = round_even(std::min(std::max(x[i] / step, low), high)) * step;
}

GridSums grid_gradients(const float* x, const float* gradient, float* dx, std::int64_t count,
                        const Grid& grid) noexcept {
  constexpr std::int64_t kLanes = 16, kChunk = 4096;  // sums side by side, in f32 over a chunk and in f64 from there
  const float step = grid.step, low = grid.low, high = grid.high, below = grid.low_slope, above = grid.high_slope;
  const float rounding = grid.rounding ? 1.0F : 0.0F;
  GridSums sums;
  for (std::int64_t begin = 0; begin < count; begin += kChunk) {
    const std::int64_t end = std::min(begin + kChunk, count), whole = begin + (end - begin) / kLanes * kLanes;
    float slopes[kLanes] = {}, outside[kLanes] = {};
    const auto one = [&](std::int64_t i, std::int64_t lane) {
      const float v = x[i] / step, g = gradient[i];
      const bool inside = v > low && v < high;
      const float within = rounding * (round_even(std::min(std::max(v, low), high)) - v);
      slopes[lane] += g * (inside ? within : v <= low ? below : above);
      outside[lane] += inside ? 0.0F : g;
      dx[i] = inside ? g : 0.0F;
    };
    for (std::int64_t i = begin; i < whole; i += kLanes)
      for (std::int64_t lane = 0; lane < kLanes; ++lane) one(i + lane, lane);
    for (std::int64_t i = whole; i < end; ++i) one(i, i - whole);
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      sums.slope += static_cast<double>(slopes[lane]);
      sums.saturated += static_cast<double>(outside[lane]);
    }
  }
  return sums;
}

}  // namespace pare::train
