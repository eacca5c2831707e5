// A random integer convolution with everything that it reads, for qconv and qdepthwise.
#pragma once

#include "kernels/qconv/qconv.h"
#include "random.h"

namespace pare::kernels::test {

struct QConvCase {
  ConvShape shape;
  DType input_type = DType::kUint8;
  std::int32_t input_zero_point = 0;
  std::vector<std::uint8_t> input, filter, residual8;
  std::vector<float> residual32, multiplier;
  std::vector<std::int32_t> bias, weight_zero_point;
  QConvFilter weights;
  QConvEpilogue epilogue;

  const std::int32_t* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
  std::int64_t outputs() const { return shape.pixels() * shape.out_c; }
  std::size_t output_bytes() const { return outputs() * (epilogue.output_type == DType::kFloat32 ? 4 : 1); }
};

inline std::int64_t output_size(std::int64_t in, std::int64_t pad, std::int64_t k, std::int64_t dilation,
                                std::int64_t stride) {
  return (in + pad - dilation * (k - 1) - 1) / stride + 1;
}

inline ConvShape random_geometry(Random& random, std::int64_t max_taps = 4) {
  ConvShape s;
  s.kh = random.integer(1, max_taps), s.kw = random.integer(1, max_taps);
  s.stride_h = random.integer(1, 3), s.stride_w = random.integer(1, 3);
  s.dilation_h = random.integer(1, 2), s.dilation_w = random.integer(1, 2);
  s.pad_top = random.integer(0, 3), s.pad_left = random.integer(0, 3);
  const std::int64_t need_h = s.dilation_h * (s.kh - 1) + 1, need_w = s.dilation_w * (s.kw - 1) + 1;
  s.in_h = random.integer(std::max<std::int64_t>(1, need_h - s.pad_top), need_h + 6);
  s.in_w = random.integer(std::max<std::int64_t>(1, need_w - s.pad_left), need_w + 6);
  s.batch = random.integer(1, 3);
  s.out_h = output_size(s.in_h, s.pad_top + random.integer(0, 2), s.kh, s.dilation_h, s.stride_h);
  s.out_w = output_size(s.in_w, s.pad_left + random.integer(0, 2), s.kw, s.dilation_w, s.stride_w);
  return s;
}

inline void fill_epilogue(Random& random, QConvCase& c) {
  const std::int64_t k = c.shape.taps() * c.shape.group_in();
  const float typical = 60.0f / (73.0f * 73.0f * std::sqrt(static_cast<float>(k)));
  c.multiplier = random.reals(c.shape.out_c, 0.2f * typical, 2.0f * typical);
  c.epilogue.multiplier = c.multiplier.data();
  const DType types[] = {DType::kUint8, DType::kInt8, DType::kFloat32};
  c.epilogue.output_type = types[random.integer(0, 2)];
  c.epilogue.out_zero_point =
      static_cast<std::int32_t>(random.integer(0, 255)) - (c.epilogue.output_type == DType::kInt8 ? 128 : 0);
  if (random.coin()) c.epilogue.lo = random.coin() ? 0.0f : random.real(-60, 10);
  if (random.coin()) c.epilogue.hi = random.real(20, 200);
  const std::int64_t residual = random.integer(0, 3);
  if (residual == 0) return;
  if (random.coin(0.3)) {  // the sum is quantized first
    const auto lowest = static_cast<float>(-random.integer(0, 255));
    c.epilogue.first = {random.real(0.2f, 3.0f), lowest, lowest + 255};
  }
  c.epilogue.residual_type = types[residual - 1];
  c.epilogue.residual_multiplier = random.real(0.1f, 2.0f);
  if (residual == 3) {
    c.residual32 = random.reals(c.outputs(), -50, 50);
    c.epilogue.residual = c.residual32.data();
    return;
  }
  c.residual8 = random.bytes(c.outputs());
  c.epilogue.residual = c.residual8.data();
  c.epilogue.residual_zero_point = static_cast<std::int32_t>(random.integer(0, 255)) - (residual == 2 ? 128 : 0);
}

/// Fills everything but the shape.
inline void fill_case(Random& random, QConvCase& c) {
  const ConvShape& s = c.shape;
  c.input_type = random.coin() ? DType::kUint8 : DType::kInt8;
  c.input_zero_point = static_cast<std::int32_t>(random.integer(0, 255)) - (c.input_type == DType::kInt8 ? 128 : 0);
  c.input = random.bytes(s.batch * s.in_h * s.in_w * s.in_c);
  c.filter = random.bytes(s.out_c * s.group_in() * s.taps());
  if (random.coin(0.2)) std::fill(c.input.begin(), c.input.end(), std::uint8_t{255});  // the extremes overflow 16 bits
  if (random.coin(0.2))
    std::fill(c.filter.begin(), c.filter.end(), std::uint8_t{random.coin() ? std::uint8_t{127} : std::uint8_t{128}});
  c.weights.data = c.filter.data();
  c.weights.is_unsigned = random.coin(0.2);
  c.weights.strides = FilterStrides::oihw(s);
  if (random.coin(0.3)) {
    for (std::int64_t o = 0; o < s.out_c; ++o) {
      c.weight_zero_point.push_back(static_cast<std::int32_t>(random.integer(0, 255)) -
                                    (c.weights.is_unsigned ? 0 : 128));
    }
    c.weights.zero_point = c.weight_zero_point.data();
  }
  if (random.coin(0.8)) {
    for (std::int64_t o = 0; o < s.out_c; ++o)
      c.bias.push_back(static_cast<std::int32_t>(random.integer(-20000, 20000)));
  }
  fill_epilogue(random, c);
}

}  // namespace pare::kernels::test
