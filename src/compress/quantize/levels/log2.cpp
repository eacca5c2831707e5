// Base-2 logarithmic weights (Miyashita, Lee & Murmann, Convolutional Neural Networks using Logarithmic Data
// Representation, 2016): sign(w)·2^round(log2|w|), the exponents clipped to as many as there are entries, below the
// largest; what is smaller than the smallest of them by more than half a step becomes 0.
#include <cmath>

#include "compress/quantize/levels.h"

namespace pare::compress {
namespace {

std::vector<float> choose(const LevelsRequest& request) {
  return powers_of_two(request, std::round(std::log2(largest_magnitude(request))));
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
