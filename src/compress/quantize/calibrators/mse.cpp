// mse: the range whose integers reproduce what was seen with the smallest mean squared error, clipping against rounding
// (Nagel et al., A White Paper on Neural Network Quantization, 2021, section 3.1). Both ends are searched on a grid of
// hundredths of what was seen: first shrunk together, then one after the other until neither moves.
// Every range is scored by the scale and zero point that would be written for it, powers of two included.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "compress/quantize/common.h"
#include "compress/quantize/qat/scale_search.h"

namespace pare::compress {
namespace {

constexpr int kSteps = 100;

class Search {
 public:
  Search(const ActivationHistogram& seen, bool symmetric, const ActivationSpec& spec)
      : points_(points_of(std::array{&seen})), seen_{seen.min(), seen.max()}, symmetric_(symmetric), spec_(spec) {}

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
    const passes::QuantParams params = symmetric_ ? symmetric_params(range, spec_) : affine_params(range, spec_);
    const auto [least, most] = passes::integer_limits(params);
    const double scale = static_cast<double>(params.scale[0]), zero = params.zero_point[0];
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
  ActivationSpec spec_;
  double least_ = std::numeric_limits<double>::infinity();
};

Range range(const ActivationHistogram& seen, const nlohmann::json& options) {
  return Search(seen, options.at("scheme") == "symmetric", activation_spec(options)).run();
}

}  // namespace

const Calibrator& mse_calibrator() {
  static const Calibrator calibrator = {"mse", "the smallest mean squared error", "histogram", range};
  return calibrator;
}

}  // namespace pare::compress
