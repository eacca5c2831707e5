// Logarithmic companding: y = sign(w)·log(1 + |w|) is rounded to evenly spaced levels around 0, so that steps grow with
// the magnitude; the levels are sign(y)·(exp|y| − 1).
#include <cmath>

#include "compress/quantize/levels.h"

namespace pare::compress {
namespace {

std::vector<float> choose(const LevelsRequest& request) {
  const double largest = largest_magnitude(request);
  const int half = (request.entries - 1) / 2;
  if (half == 0 || largest == 0) return {0};
  const double step = std::log1p(largest) / half;
  std::vector<float> levels;
  for (int i = -half; i <= half; ++i)
    levels.push_back(static_cast<float>(std::copysign(std::expm1(std::abs(i) * step), i)));
  levels[static_cast<std::size_t>(half)] = 0;
  return levels;
}

}  // namespace

const Levels& log_levels() {
  static const Levels levels = {"log", "sign(w)·log(1+|w|) in even steps",
                                "Webber, A bi-symmetric log transformation for wide-range data, 2013",
                                choose};
  return levels;
}

}  // namespace pare::compress
