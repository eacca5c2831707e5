// Powers of two as INQ takes them (Zhou et al., Incremental Network Quantization, 2017, equations 1 to 3):
// {±2^n1, …, ±2^n2, 0} with n1 = floor(log2(4·max|w|/3)) and half of the entries positive, each weight to the nearest.
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
  const double first = std::floor(std::log2(4 * largest / 3));
  std::vector<float> levels = {0};
  for (int i = 0; i < half; ++i) {
    const double level = std::exp2(first - i);
    if (!(level > 0x1p-126)) break;
    levels.push_back(static_cast<float>(level));
    levels.push_back(static_cast<float>(-level));
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

}  // namespace

const Levels& power_of_two_levels() {
  static const Levels levels = {"power-of-two", "powers of two, rounded to the nearest",
                                "Zhou et al., Incremental Network Quantization: Towards Lossless CNNs with "
                                "Low-Precision Weights, 2017",
                                choose};
  return levels;
}

}  // namespace pare::compress
