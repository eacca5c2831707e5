#include "kernels/quantize/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;

// ONNX's definition in double: x / scale is rounded to f32 first, as the operator computes in f32.
std::int32_t definition(float x, float scale, std::int32_t zero_point, DType type) {
  const double lowest = type == DType::kInt8 ? -128 : 0;
  const double ratio = static_cast<double>(x / scale);
  return static_cast<std::int32_t>(std::clamp(std::nearbyint(ratio) + zero_point, lowest, lowest + 255));
}

std::int32_t value(const std::vector<std::uint8_t>& bytes, std::int64_t i, DType type) {
  return type == DType::kInt8 ? static_cast<std::int8_t>(bytes[i]) : bytes[i];
}

TEST(Quantize, HalvesGoToEvenAndTheEndsSaturate) {
  const float scale = 0.5f;
  const float in[] = {0.25f, 0.75f, 1.25f, -0.25f, -0.75f, 63.7f, 64.3f, -64.3f, 1e30f, -1e30f, kInfinity, -kInfinity};
  const std::int8_t want[] = {0, 2, 2, 0, -2, 127, 127, -128, 127, -128, 127, -128};
  std::int8_t out[12];
  quantize({1, 1, 12, &scale, nullptr}, in, DType::kInt8, out);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(out[i], want[i]) << in[i];
}

TEST(Quantize, NanGivesTheZeroPoint) {
  const float scale = 0.1f, nan = std::numeric_limits<float>::quiet_NaN();
  const std::int32_t zero = 77;
  std::uint8_t out = 0;
  quantize({1, 1, 1, &scale, &zero}, &nan, DType::kUint8, &out);
  EXPECT_EQ(out, 77);
}

TEST(Quantize, RandomLayoutsFollowTheDefinition) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    QuantLayout l;
    l.outer = random.integer(1, 9), l.axis = random.coin() ? 1 : random.integer(2, 40),
    l.inner = random.coin() ? 1 : random.integer(2, 70);
    const DType type = random.coin() ? DType::kUint8 : DType::kInt8;
    const std::vector<float> scale = random.reals(l.axis, 1e-3f, 0.1f),
                             in = random.reals(l.outer * l.axis * l.inner, -8, 8);
    std::vector<std::int32_t> zero;
    for (std::int64_t a = 0; a < l.axis; ++a)
      zero.push_back(static_cast<std::int32_t>(random.integer(0, 255)) - (type == DType::kInt8 ? 128 : 0));
    l.scale = scale.data();
    if (random.coin(0.7)) l.zero_point = zero.data();
    std::vector<std::uint8_t> q(in.size());
    std::vector<float> back(in.size());
    quantize(l, in.data(), type, q.data());
    dequantize(l, type, q.data(), back.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::int64_t a = static_cast<std::int64_t>(i) / l.inner % l.axis;
      const std::int32_t z = l.zero_point ? zero[a] : 0;
      ASSERT_EQ(value(q, i, type), definition(in[i], scale[a], z, type)) << "seed " << seed;
      ASSERT_EQ(value(q, i, type), quantize_one(in[i], scale[a], z, type));
      ASSERT_EQ(back[i], static_cast<float>(value(q, i, type) - z) * scale[a]) << "seed " << seed;
    }
  }
}

/// Rows divide by products: quotients next to the middle between two steps, and what is no ordinary number.
TEST(Quantize, LongLinesFollowTheDefinition) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const DType type = random.coin() ? DType::kUint8 : DType::kInt8;
    const float scale = std::ldexp(random.real(1, 2), static_cast<int>(random.integer(-110, 110)));
    const std::int32_t zero = static_cast<std::int32_t>(random.integer(0, 255)) - (type == DType::kInt8 ? 128 : 0);
    std::vector<float> in;
    for (int step = -300; step <= 300; ++step) {
      float x = static_cast<float>((step + 0.5) * static_cast<double>(scale));
      for (int i = 0; i < 3; ++i) x = std::nextafter(x, -kInfinity);
      for (int i = 0; i < 7; ++i, x = std::nextafter(x, kInfinity)) in.push_back(x);
    }
    for (int i = 0; i < 100; ++i) in.push_back(random.real(-300, 300) * scale);
    for (const float x : {0.0f, -0.0f, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()})
      in.push_back(x);
    in.resize(in.size() - static_cast<std::size_t>(random.integer(0, 70)));
    std::vector<std::uint8_t> out(in.size());
    quantize({1, 1, static_cast<std::int64_t>(in.size()), &scale, &zero}, in.data(), type, out.data());
    for (std::size_t i = 0; i < in.size(); ++i)
      ASSERT_EQ(value(out, static_cast<std::int64_t>(i), type), quantize_one(in[i], scale, zero, type))
          << "seed " << seed << ": " << in[i] << " / " << scale;
  }
}

TEST(Quantize, DequantizesInt32PerChannel) {
  const float scale[] = {0.5f, 0.25f};
  const std::int32_t in[] = {-7, 1 << 24, 3, -3};
  float out[4];
  dequantize({2, 2, 1, scale, nullptr}, DType::kInt32, in, out);
  const float want[] = {-3.5f, 4194304.0f, 1.5f, -0.75f};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], want[i]);
}

TEST(Quantize, RequantizeIsDequantizeThenQuantize) {
  std::vector<std::uint8_t> in(256), out(256);
  for (int i = 0; i < 256; ++i) in[i] = static_cast<std::uint8_t>(i);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const QuantParams from{random.coin() ? DType::kInt8 : DType::kUint8, random.real(0.01f, 1),
                           static_cast<std::int32_t>(random.integer(0, 127))};
    const QuantParams to{random.coin() ? DType::kInt8 : DType::kUint8, random.real(0.01f, 1),
                         static_cast<std::int32_t>(random.integer(0, 127))};
    requantize(256, from, in.data(), to, out.data());
    for (int i = 0; i < 256; ++i) {
      const float real = static_cast<float>(value(in, i, from.type) - from.zero_point) * from.scale;
      ASSERT_EQ(value(out, i, to.type), definition(real, to.scale, to.zero_point, to.type)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pare::kernels
