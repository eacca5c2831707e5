// A random product of float32 or bfloat16 numbers with what follows it (kernels/float_epilogue.h), and the plain answer.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "base/float16.h"
#include "float_case.h"
#include "kernels/float_epilogue.h"

namespace pare::kernels::test {

struct EpilogueCase {
  FloatCase real;  ///< its inputs and weights are numbers of `type`
  DType type = DType::kFloat32;
  std::vector<std::uint16_t> in, residual;  ///< as bfloat16
  FloatEpilogue epilogue;

  const void* input() const { return type == DType::kFloat32 ? static_cast<const void*>(real.in.data()) : in.data(); }
  bool wide() const { return epilogue.output_type == DType::kFloat32; }
  std::size_t output_bytes() const { return real.outputs() * (wide() ? 4 : 2); }
  /// Of rounding the result, relative.
  double half_step() const { return wide() ? 0 : 1.0 / 256; }
};

inline float rounded(float x) { return bfloat16_to_float(float_to_bfloat16(x)); }

inline std::vector<std::uint16_t> narrow(const std::vector<float>& values) {
  std::vector<std::uint16_t> out;
  for (float v : values) out.push_back(float_to_bfloat16(v));
  return out;
}

inline constexpr UnaryOp kFused[] = {UnaryOp::kIdentity, UnaryOp::kRelu,    UnaryOp::kHardSwish,
                                     UnaryOp::kSilu,     UnaryOp::kSigmoid, UnaryOp::kGelu,
                                     UnaryOp::kGeluTanh};

inline EpilogueCase make_epilogue_case(Random& random, const ConvShape& s, DType type) {
  EpilogueCase c;
  c.type = type;
  c.real.shape = s;
  c.real.in = random.reals(s.batch * s.in_h * s.in_w * s.in_c);
  c.real.filter = random.reals(s.out_c * s.group_in() * s.taps());
  if (type == DType::kBFloat16) {
    for (float& x : c.real.in) x = rounded(x);
    for (float& w : c.real.filter) w = rounded(w);
  }
  c.in = narrow(c.real.in);
  if (random.coin()) c.real.bias = random.reals(s.out_c);
  c.epilogue.activation = kFused[random.integer(0, std::size(kFused) - 1)];
  if (random.coin()) c.epilogue.lo = 0, c.epilogue.hi = random.real(0.5f, 6);
  if (type == DType::kBFloat16 && random.coin()) c.epilogue.output_type = DType::kBFloat16;
  if (random.coin()) return c;
  c.real.residual = random.reals(s.pixels() * s.out_c);
  c.residual = narrow(c.real.residual);
  c.epilogue.residual_type = type == DType::kBFloat16 && random.coin() ? DType::kBFloat16 : DType::kFloat32;
  c.epilogue.residual = c.epilogue.residual_type == DType::kFloat32 ? static_cast<const void*>(c.real.residual.data())
                                                                    : c.residual.data();
  return c;
}

/// The outputs, whose bytes are `out`, as floats.
inline std::vector<float> outputs_of(const EpilogueCase& c, const std::uint8_t* out) {
  std::vector<float> values;
  for (std::size_t i = 0; i < c.real.outputs(); ++i)
    values.push_back(c.wide() ? reinterpret_cast<const float*>(out)[i]
                              : bfloat16_to_float(reinterpret_cast<const std::uint16_t*>(out)[i]));
  return values;
}

/// The plain float convolution of the same numbers, with what follows.
inline std::vector<float> expected(const EpilogueCase& c) {
  FloatCase plain = c.real;
  plain.epilogue = {};
  std::vector<float> want = direct(plain);
  for (std::size_t i = 0; i < want.size(); ++i) {
    want[i] = unary_one(c.epilogue.activation, {}, want[i]);
    if (c.epilogue.residual_type == DType::kFloat32) want[i] += c.real.residual[i];
    if (c.epilogue.residual_type == DType::kBFloat16) want[i] += bfloat16_to_float(c.residual[i]);
    want[i] = std::clamp(want[i], c.epilogue.lo, c.epilogue.hi);
  }
  return want;
}

}  // namespace pare::kernels::test
