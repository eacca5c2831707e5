// Base-2 logarithmic weights (Miyashita, Lee & Murmann, Convolutional Neural Networks using Logarithmic Data
// Representation, 2016): sign(w)·2^round(log2|w|), the exponents clipped to as many as there are entries, below the
// largest; what is smaller than the smallest of them by more than half a step becomes 0.
#include <algorithm>
#include <cmath>

#include "compress/quantize/levels.h"

namespace pare::compress {
namespace {

std::vector<float> choose(const LevelsRequest& request) {
  double largest = 0;
  for (float w : request.weights) largest = std::max(largest, std::fabs(static_cast<double>(w)));
  const int half = (request.entries - 1) / 2;
  if (half == 0 || largest == 0) return {0};
  const double top = std::round(std::log2(largest));
  std::vector<float> levels = {0};
  for (int i = 0; i < half; ++i) {
    const double level = std::exp2(top - i);
    if (!(level > 0x1p-126)) break;
    levels.push_back(static_cast<float>(level));
    levels.push_back(static_cast<float>(-level));
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

}  // namespace

const Levels& log2_levels() {
  static const Levels levels = {"log2", "powers of two, rounded in the logarithm",
                                "Miyashita, Lee & Murmann, Convolutional Neural Networks using Logarithmic Data "
                                "Representation, 2016",
                                choose, true};
  return levels;
}

}  // namespace pare::compress
