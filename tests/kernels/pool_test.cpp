#include "kernels/pool/pool.h"

#include <gtest/gtest.h>

#include <optional>

#include <limits>

#include "base/float16.h"
#include "base/threads.h"
#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;

PoolShape random_pool(Random& random) {
  PoolShape s;
  s.batch = random.integer(1, 3), s.channels = random.integer(1, random.coin(0.1) ? 600 : 40);
  s.kh = random.integer(1, 4), s.kw = random.integer(1, 4);
  s.stride_h = random.integer(1, 3), s.stride_w = random.integer(1, 3);
  s.dilation_h = random.integer(1, 2), s.dilation_w = random.integer(1, 2);
  s.pad_top = random.integer(0, s.kh - 1), s.pad_left = random.integer(0, s.kw - 1);
  s.pad_bottom = random.integer(0, s.kh - 1), s.pad_right = random.integer(0, s.kw - 1);
  const std::int64_t need_h = s.dilation_h * (s.kh - 1) + 1, need_w = s.dilation_w * (s.kw - 1) + 1;
  s.in_h = random.integer(need_h, need_h + 7), s.in_w = random.integer(need_w, need_w + 7);
  const bool ceil = random.coin();
  const auto size = [ceil](std::int64_t room, std::int64_t stride) {
    return (room + (ceil ? stride - 1 : 0)) / stride + 1;
  };
  s.out_h = size(s.in_h + s.pad_top + s.pad_bottom - need_h, s.stride_h);
  s.out_w = size(s.in_w + s.pad_left + s.pad_right - need_w, s.stride_w);
  s.count_include_pad = random.coin();
  return s;
}

// The inputs of one window (NaN for padding inside the padded extent), tap by tap from the definition.
std::vector<double> window_of(const PoolShape& s, std::int64_t at, const auto& value) {
  const std::int64_t c = at % s.channels, x0 = at / s.channels % s.out_w, y0 = at / s.channels / s.out_w % s.out_h;
  const std::int64_t n = at / s.channels / s.out_w / s.out_h;
  std::vector<double> values;
  for (std::int64_t ky = 0; ky < s.kh; ++ky) {
    for (std::int64_t kx = 0; kx < s.kw; ++kx) {
      const std::int64_t y = y0 * s.stride_h - s.pad_top + ky * s.dilation_h,
                         x = x0 * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (y >= s.in_h + s.pad_bottom || x >= s.in_w + s.pad_right) continue;
      const bool inside = y >= 0 && x >= 0 && y < s.in_h && x < s.in_w;
      values.push_back(inside ? value(((n * s.in_h + y) * s.in_w + x) * s.channels + c) : std::nan(""));
    }
  }
  return values;
}

template <class T>
void check_max(const PoolShape& s, DType type, const std::vector<T>& in, std::uint64_t seed) {
  std::vector<T> out(s.batch * s.out_h * s.out_w * s.channels);
  max_pool(s, type, in.data(), out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    double want = type == DType::kFloat32 ? -HUGE_VAL : static_cast<double>(std::numeric_limits<T>::lowest());
    for (double v :
         window_of(s, static_cast<std::int64_t>(i), [&](std::int64_t at) { return static_cast<double>(in[at]); })) {
      if (v > want) want = v;
    }
    ASSERT_EQ(static_cast<double>(out[i]), want) << "seed " << seed;
  }
}

std::int64_t input_size(const PoolShape& s) { return s.batch * s.in_h * s.in_w * s.channels; }

TEST(MaxPool, OfBfloat16IsThatOfFloatWithANaNInfinitiesAndZeros) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const PoolShape s = random_pool(random);
    std::vector<std::uint16_t> in;
    std::vector<float> wide;
    const float special[] = {kInfinity, -kInfinity, 0.0f, std::nanf(""), -std::nanf("")};
    for (std::int64_t i = 0; i < s.batch * s.in_h * s.in_w * s.channels; ++i) {
      in.push_back(float_to_bfloat16(random.coin(0.02) ? special[random.integer(0, 4)] : random.real(-2, 2)));
      wide.push_back(bfloat16_to_float(in.back()));
    }
    const auto outputs = static_cast<std::size_t>(s.batch * s.out_h * s.out_w * s.channels);
    std::vector<std::uint16_t> out(outputs);
    std::vector<float> want(outputs);
    max_pool(s, DType::kBFloat16, in.data(), out.data());
    max_pool(s, DType::kFloat32, wide.data(), want.data());
    for (std::size_t i = 0; i < outputs; ++i) {
      ASSERT_EQ(std::isnan(bfloat16_to_float(out[i])), std::isnan(want[i])) << seed;
      if (!std::isnan(want[i])) {
        ASSERT_EQ(bfloat16_to_float(out[i]), want[i]) << seed;
      }
    }
  }
}

/// On the best instruction set and in portable loops.
class MaxPoolOn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (*GetParam()) force_.emplace("PARE_FORCE_ISA", GetParam());
  }
  std::optional<test::ScopedEnv> force_;
};
INSTANTIATE_TEST_SUITE_P(Isa, MaxPoolOn, ::testing::Values("", "avx2"),
                         [](const auto& info) { return *info.param ? std::string(info.param) : "best"; });

TEST_P(MaxPoolOn, EveryType) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Random random(seed);
    PoolShape s = random_pool(random);
    if (random.coin(0.3)) s.channels = random.integer(60, 140);
    check_max(s, DType::kFloat32, random.reals(input_size(s), -5, 5), seed);
    const std::vector<std::uint8_t> bytes = random.bytes(input_size(s));
    check_max(s, DType::kUint8, bytes, seed);
    check_max(s, DType::kInt8, std::vector<std::int8_t>(bytes.begin(), bytes.end()), seed);
  }
}

TEST_P(MaxPoolOn, NanInAWindowStays) {
  PoolShape s;
  s.in_w = 3, s.kw = 3;
  float out = 0;
  for (int where = 0; where < 3; ++where) {
    float in[] = {1, 2, 3};
    in[where] = std::numeric_limits<float>::quiet_NaN();
    max_pool(s, DType::kFloat32, in, &out);
    EXPECT_TRUE(std::isnan(out)) << where;
  }
}

struct Mean {
  double sum = 0, count = 0;
};

Mean mean_of(const PoolShape& s, const std::vector<double>& window) {
  Mean m;
  for (double v : window) {
    if (!std::isnan(v)) m.sum += v;
    m.count += s.count_include_pad || !std::isnan(v);
  }
  return m;
}

TEST(AveragePool, FloatFollowsTheDefinition) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Random random(seed);
    const PoolShape s = random_pool(random);
    const std::vector<float> in = random.reals(input_size(s), -5, 5);
    std::vector<float> out(s.batch * s.out_h * s.out_w * s.channels);
    average_pool(s, in.data(), out.data());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Mean m = mean_of(
          s, window_of(s, static_cast<std::int64_t>(i), [&](std::int64_t at) { return static_cast<double>(in[at]); }));
      ASSERT_NEAR(out[i], m.count ? m.sum / m.count : 0, 2e-6) << "seed " << seed;
    }
  }
}

QuantParams random_params(Random& random) {
  const DType type = random.coin() ? DType::kInt8 : DType::kUint8;
  return {type, random.real(0.05f, 0.1f),
          static_cast<std::int32_t>(random.integer(0, 255)) - (type == DType::kInt8 ? 128 : 0)};
}

std::int32_t value(const QuantParams& p, std::uint8_t byte) {
  return p.type == DType::kInt8 ? static_cast<std::int8_t>(byte) : byte;
}

std::int32_t expected(const QuantParams& from, const QuantParams& to, std::int32_t sum, std::int64_t count) {
  const float v = count ? static_cast<float>(sum) * (from.scale / to.scale) / static_cast<float>(count) : 0.0f;
  const std::int32_t lowest = to.type == DType::kInt8 ? -128 : 0;
  return std::clamp(static_cast<std::int32_t>(std::nearbyint(v)) + to.zero_point, lowest, lowest + 255);
}

TEST(AveragePool, QuantizedBitForBit) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    Random random(seed);
    const PoolShape s = random_pool(random);
    const QuantParams from = random_params(random), to = random_params(random);
    const std::vector<std::uint8_t> in = random.bytes(input_size(s));
    std::vector<std::uint8_t> out(s.batch * s.out_h * s.out_w * s.channels);
    average_pool(s, from, in.data(), to, out.data());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Mean m = mean_of(s, window_of(s, static_cast<std::int64_t>(i),
                                          [&](std::int64_t at) { return value(from, in[at]) - from.zero_point; }));
      ASSERT_EQ(value(to, out[i]),
                expected(from, to, static_cast<std::int32_t>(m.sum), static_cast<std::int64_t>(m.count)))
          << "seed " << seed;
    }
  }
}

TEST(GlobalAveragePool, EveryKind) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    const std::int64_t batch = random.integer(1, 3), pixels = random.integer(1, 60), channels = random.integer(1, 200);
    const QuantParams from = random_params(random), to = random_params(random), real{DType::kFloat32, 1, 0};
    const std::vector<std::uint8_t> in = random.bytes(batch * pixels * channels);
    std::vector<float> in32(in.begin(), in.end()), out32(batch * channels), out_real(batch * channels);
    std::vector<std::uint8_t> out(batch * channels);
    ThreadScope threads(static_cast<int>(random.integer(1, 3)));
    global_average_pool(batch, pixels, channels, in32.data(), out32.data());
    global_average_pool(batch, pixels, channels, from, in.data(), to, out.data());
    global_average_pool(batch, pixels, channels, from, in.data(), real, out_real.data());
    for (std::int64_t i = 0; i < batch * channels; ++i) {
      std::int32_t sum = 0;
      double sum32 = 0;
      for (std::int64_t p = 0; p < pixels; ++p) {
        const std::int64_t at = (i / channels * pixels + p) * channels + i % channels;
        sum += value(from, in[at]) - from.zero_point;
        sum32 += in32[at];
      }
      ASSERT_EQ(out32[i], static_cast<float>(sum32 / static_cast<double>(pixels))) << "seed " << seed;
      ASSERT_EQ(value(to, out[i]), expected(from, to, sum, pixels)) << "seed " << seed;
      ASSERT_EQ(out_real[i], static_cast<float>(sum) * from.scale / static_cast<float>(pixels)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace pare::kernels
