#include "compress/quantize/qat/scale_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare::compress {
namespace {

constexpr int kSteps = 100;

double squared_error(std::span<const Point> points, double step, double low, double high) {
  double sum = 0;
  for (const auto& [value, count] : points) {
    const double off = std::clamp(std::nearbyint(value / step), low, high) * step - value;
    sum += count * off * off;
  }
  return sum;
}

struct Ends {
  double low = 0, high = 0;
};

Ends ends_of(std::span<const Point> points) {
  Ends ends;
  for (const Point& point : points) {
    ends.low = std::min(ends.low, point.value);
    ends.high = std::max(ends.high, point.value);
  }
  return ends;
}

/// The smallest step that clips nothing.
double covering_step(std::span<const Point> points, std::int64_t low, std::int64_t high) {
  const Ends seen = ends_of(points);
  const double step = seen.high / static_cast<double>(high);
  return low < 0 ? std::max(step, seen.low / static_cast<double>(low)) : step;
}

/// The first of least error.
double best_of(std::span<const Point> points, std::span<const double> steps, std::int64_t low, std::int64_t high) {
  double best = steps.front(), error = std::numeric_limits<double>::infinity();
  for (const double step : steps) {
    const double now = squared_error(points, step, static_cast<double>(low), static_cast<double>(high));
    if (now < error) error = now, best = step;
  }
  return best;
}

/// Both ends in hundredths of what was seen.
class EndSearch {
 public:
  EndSearch(std::span<const Point> points, std::int64_t levels)
      : points_(points), seen_(ends_of(points)), levels_(static_cast<double>(levels)) {}

  EvenGrid run() {
    if (seen_.low == seen_.high) return {};
    int low = kSteps, high = kSteps;
    for (int at = kSteps; at >= 1; --at)
      if (better(at, at)) low = high = at;
    for (bool moved = true; moved;) {
      moved = false;
      for (int at = 1; at <= kSteps; ++at)
        if (better(at, high)) low = at, moved = true;
      for (int at = 1; at <= kSteps; ++at)
        if (better(low, at)) high = at, moved = true;
    }
    return grid(low, high);
  }

 private:
  EvenGrid grid(int low, int high) const {
    const double start = seen_.low * low / kSteps;
    return {(seen_.high * high / kSteps - start) / levels_, start};
  }
  bool better(int low, int high) {
    const EvenGrid now = grid(low, high);
    const double zero = std::nearbyint(-now.start / now.step);
    const double error = squared_error(points_, now.step, -zero, levels_ - zero);
    if (error >= least_) return false;
    least_ = error;
    return true;
  }

  std::span<const Point> points_;
  Ends seen_;
  double levels_, least_ = std::numeric_limits<double>::infinity();
};

}  // namespace

std::vector<Point> points_of(std::span<const ActivationHistogram* const> seen) {
  std::vector<Point> points;
  for (const ActivationHistogram* histogram : seen) {
    const auto bins = histogram->bins();
    for (std::size_t i = 0; i < bins.size(); ++i) {
      if (bins[i] == 0) continue;
      const double center = (static_cast<double>(i) - ActivationHistogram::kBins / 2 + 0.5) * histogram->bin_width();
      points.push_back(
          {std::clamp(center, static_cast<double>(histogram->min()), static_cast<double>(histogram->max())),
           static_cast<double>(bins[i])});
    }
  }
  return points;
}

std::vector<Point> points_of(std::span<const float> values) {
  std::vector<Point> points;
  for (const float value : values) points.push_back({static_cast<double>(value), 1});
  return points;
}

double best_step(std::span<const Point> points, std::int64_t low, std::int64_t high) {
  const double largest = covering_step(points, low, high);
  std::vector<double> steps;
  for (int at = kSteps; at >= 1; --at) steps.push_back(largest * at / kSteps);
  return largest > 0 ? best_of(points, steps, low, high) : 1;
}

double best_power_of_two(std::span<const Point> points, std::int64_t low, std::int64_t high) {
  constexpr int kHalvings = 8;  // a step of 1/256 of what covers all would clip nearly everything
  const double largest = covering_step(points, low, high);
  if (largest <= 0) return 1;
  std::vector<double> steps = {std::exp2(std::ceil(std::log2(largest)))};
  while (steps.size() <= kHalvings) steps.push_back(steps.back() / 2);
  return best_of(points, steps, low, high);
}

EvenGrid best_grid(std::span<const Point> points, std::int64_t levels) { return EndSearch(points, levels).run(); }

}  // namespace pare::compress
