// A random float convolution with what follows it, and the plain loops' answer.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/conv/conv.h"
#include "qconv_case.h"

namespace pare::kernels::test {

struct FloatCase {
  ConvShape shape;
  std::vector<float> in, filter, bias, residual;  ///< the filter as ONNX has it
  ConvEpilogue epilogue;
  const float* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
  std::size_t outputs() const { return static_cast<std::size_t>(shape.pixels() * shape.out_c); }
  /// max |x| · max over outputs of Σ|w|
  double size() const {
    double largest = 0, most = 0;
    for (float x : in) largest = std::max(largest, std::abs(static_cast<double>(x)));
    const std::size_t each = filter.size() / static_cast<std::size_t>(shape.out_c);
    for (std::size_t o = 0; o < filter.size(); o += each) {
      double sum = 0;
      for (std::size_t i = o; i < o + each; ++i) sum += std::abs(static_cast<double>(filter[i]));
      most = std::max(most, sum);
    }
    return largest * most;
  }
};

/// `keep`: the chance of a weight not to be zero. Bias, residual and clamping are there or not.
inline FloatCase make_float_case(Random& random, const ConvShape& s, double keep = 1) {
  FloatCase c;
  c.shape = s;
  c.in = random.reals(s.batch * s.in_h * s.in_w * s.in_c);
  c.filter = random.reals(s.out_c * s.in_c * s.taps());
  if (keep < 1)
    for (float& w : c.filter)
      if (!random.coin(keep)) w = 0;
  if (random.coin()) c.bias = random.reals(s.out_c);
  if (random.coin()) c.residual = random.reals(s.pixels() * s.out_c), c.epilogue.residual = c.residual.data();
  if (random.coin()) c.epilogue.lo = 0, c.epilogue.hi = random.real(0.5f, 6);
  return c;
}

inline std::vector<float> direct(const FloatCase& c) {
  std::vector<float> want(c.outputs());
  conv(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), c.epilogue, c.in.data(), want.data());
  return want;
}

}  // namespace pare::kernels::test
