// Where learned scales start: the grid that makes the least squared error on what is to be quantized.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/statistics.h"

namespace pare::compress {

struct Point {
  double value, count;
};

/// The centres of the histograms' bins that hold something, kept within what was seen.
std::vector<Point> points_of(std::span<const ActivationHistogram* const> seen);
std::vector<Point> points_of(std::span<const float> values);

/// The same among powers of two.
double best_power_of_two(std::span<const Point> points, std::int64_t low, std::int64_t high);

/// An even grid: step, and the value of its integer `low`.
struct EvenGrid {
  double step = 1, start = 0;
};

/// The step s with the least Σ count·(value − s·clamp(round(value/s), low, high))², of a hundred from the largest that
/// clips nothing down to none; 1 where all values are 0.
double best_step(std::span<const Point> points, std::int64_t low, std::int64_t high);

/// The same of a grid of `levels` + 1 values whose two ends both move (0 stays within): first together, then one after
/// the other.
EvenGrid best_grid(std::span<const Point> points, std::int64_t levels);

}  // namespace pare::compress
