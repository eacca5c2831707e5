// Powers of two as INQ takes them (Zhou et al., Incremental Network Quantization, 2017, equations 1 to 3):
// {±2^n1, …, ±2^n2, 0} with n1 = floor(log2(4·max|w|/3)) and half of the entries positive, each weight to the nearest.
#include <cmath>

#include "compress/quantize/levels.h"

namespace pare::compress {
namespace {

std::vector<float> choose(const LevelsRequest& request) {
  return powers_of_two(request, std::floor(std::log2(4 * largest_magnitude(request) / 3)));
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
