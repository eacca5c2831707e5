// mse: the range whose integers reproduce what was seen with the smallest mean squared error, clipping against rounding
// (Nagel et al., A White Paper on Neural Network Quantization, 2021, section 3.1). Both ends are searched on a grid of
// hundredths of what was seen: first shrunk together, then one after the other until neither moves.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/quantize/params.h"

namespace pare::compress {
namespace {

constexpr int kSteps = 100;

struct Point {
  double value, count;
};

/// The centres of the bins that hold something, kept within what was seen.
std::vector<Point> points_of(const ActivationHistogram& seen) {
  std::vector<Point> points;
  const auto bins = seen.bins();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double center = (static_cast<double>(i) - ActivationHistogram::kBins / 2 + 0.5) * seen.bin_width();
    points.push_back({std::clamp(center, static_cast<double>(seen.min()), static_cast<double>(seen.max())),
                      static_cast<double>(bins[i])});
  }
  return points;
}

class Search {
 public:
  Search(const ActivationHistogram& seen, bool symmetric)
      : points_(points_of(seen)), seen_{seen.min(), seen.max()}, symmetric_(symmetric) {}

  Range run() {
    int best = kSteps;
    for (int step = 1; step <= kSteps; ++step)
      if (better(step, step)) best = step;
    int low = best, high = best;
    if (symmetric_ || seen_.low >= 0 || seen_.high <= 0) return at(low, high);
    for (bool moved = true; moved;) {
      moved = false;
      for (int step = 1; step <= kSteps; ++step)
        if (better(step, high)) low = step, moved = true;
      for (int step = 1; step <= kSteps; ++step)
        if (better(low, step)) high = step, moved = true;
    }
    return at(low, high);
  }

 private:
  Range at(int low, int high) const {
    if (symmetric_) {
      const double magnitude = std::max(std::fabs(seen_.low), std::fabs(seen_.high)) * low / kSteps;
      return {-magnitude, magnitude};
    }
    return {seen_.low * low / kSteps, seen_.high * high / kSteps};
  }

  /// Whether this range is better than every one asked about before; an equal one is not, so the search ends.
  bool better(int low, int high) {
    const double now = error(at(low, high));
    if (now >= least_) return false;
    least_ = now;
    return true;
  }

  double error(Range range) const {
    const passes::QuantParams params = symmetric_ ? symmetric_params(range) : affine_params(range);
    const double scale = params.scale[0], zero = params.zero_point[0];
    const double least = symmetric_ ? -128 : 0, most = symmetric_ ? 127 : 255;
    double sum = 0;
    for (const Point& point : points_) {
      const double level = std::clamp(std::nearbyint(point.value / scale) + zero, least, most);
      const double off = (level - zero) * scale - point.value;
      sum += point.count * off * off;
    }
    return sum;
  }

  std::vector<Point> points_;
  Range seen_;
  bool symmetric_;
  double least_ = std::numeric_limits<double>::infinity();
};

Range range(const ActivationHistogram& seen, const nlohmann::json& options) {
  return Search(seen, options.at("scheme") == "symmetric").run();
}

}  // namespace

const Calibrator& mse_calibrator() {
  static const Calibrator calibrator = {"mse", "the smallest mean squared error", "histogram", range};
  return calibrator;
}

}  // namespace pare::compress
