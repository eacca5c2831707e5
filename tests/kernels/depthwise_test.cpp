// Depthwise convolutions: every row against the plain loops, by any number of threads.
#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/float16.h"
#include "base/threads.h"
#include "float_case.h"

namespace pare::kernels {
namespace {

using test::Random;

constexpr std::size_t kGuard = 64;

struct Case {
  test::FloatCase real;
  DType type = DType::kFloat32;
  std::vector<std::uint16_t> in, residual;  ///< as bfloat16
  FloatEpilogue epilogue;
};

std::vector<std::uint16_t> narrow(const std::vector<float>& values) {
  std::vector<std::uint16_t> out;
  for (float v : values) out.push_back(float_to_bfloat16(v));
  return out;
}

/// Strips, lines shorter than one, and taps and strides that have none.
ConvShape random_shape(Random& random) {
  ConvShape s = test::random_geometry(random, 6);
  if (random.coin(0.7)) {
    s.kw = random.coin() ? 3 : 5, s.dilation_w = 1, s.stride_w = random.integer(1, 2);
    s.in_w = random.integer(s.kw, 40);
    s.out_w = (s.in_w + s.pad_left + random.integer(0, 2) - s.kw) / s.stride_w + 1;
  }
  s.groups = s.in_c = s.out_c = random.integer(2, 80);
  return s;
}

Case make_case(Random& random, DType type) {
  Case c;
  c.type = type;
  c.real.shape = random_shape(random);
  const ConvShape& s = c.real.shape;
  const auto rounded = [&](float x) {
    return type == DType::kFloat32 ? x : bfloat16_to_float(float_to_bfloat16(x));
  };
  c.real.in = random.reals(s.batch * s.in_h * s.in_w * s.in_c);
  c.real.filter = random.reals(s.out_c * s.taps());
  for (float& x : c.real.in) x = rounded(x);
  for (float& w : c.real.filter) w = rounded(w);
  c.in = narrow(c.real.in);
  if (random.coin()) c.real.bias = random.reals(s.out_c);
  constexpr UnaryOp kActivations[] = {UnaryOp::kIdentity, UnaryOp::kRelu,    UnaryOp::kHardSwish,
                                      UnaryOp::kSilu,     UnaryOp::kSigmoid, UnaryOp::kGelu};
  c.epilogue.activation = kActivations[random.integer(0, 5)];
  if (random.coin()) c.epilogue.lo = 0, c.epilogue.hi = random.real(0.5f, 6);
  if (type == DType::kBFloat16 && random.coin()) c.epilogue.output_type = DType::kBFloat16;
  if (random.coin(0.4)) {
    c.real.residual = random.reals(s.pixels() * s.out_c);
    c.residual = narrow(c.real.residual);
    c.epilogue.residual_type = type == DType::kBFloat16 && random.coin() ? DType::kBFloat16 : DType::kFloat32;
    c.epilogue.residual = c.epilogue.residual_type == DType::kFloat32
                              ? static_cast<const void*>(c.real.residual.data())
                              : c.residual.data();
  }
  return c;
}

DepthwiseWeights pack(const Case& c, const DepthwiseKernel* kernel) {
  return DepthwiseWeights::pack(c.real.shape, c.type, c.real.filter.data(), FilterStrides::oihw(c.real.shape),
                                c.real.bias_or_null(), kernel);
}

/// What lies behind the output stays.
std::vector<float> run(const Case& c, const DepthwiseWeights& w, int threads) {
  const bool wide = c.epilogue.output_type == DType::kFloat32;
  const std::size_t count = c.real.outputs();
  std::vector<std::uint8_t> out(count * (wide ? 4 : 2) + kGuard, 7);
  const ThreadScope scope(threads);
  const void* in = c.type == DType::kFloat32 ? static_cast<const void*>(c.real.in.data()) : c.in.data();
  depthwise(w, c.real.shape, in, c.epilogue, out.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](std::uint8_t x) { return x == 7; }));
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(wide ? reinterpret_cast<const float*>(out.data())[i]
                          : bfloat16_to_float(reinterpret_cast<const std::uint16_t*>(out.data())[i]));
  return values;
}

std::vector<float> expected(const Case& c) {
  test::FloatCase plain = c.real;
  plain.epilogue = {};
  std::vector<float> want = test::direct(plain);
  for (std::size_t i = 0; i < want.size(); ++i) {
    want[i] = unary_one(c.epilogue.activation, {}, want[i]);
    if (c.epilogue.residual_type == DType::kFloat32) want[i] += c.real.residual[i];
    if (c.epilogue.residual_type == DType::kBFloat16) want[i] += bfloat16_to_float(c.residual[i]);
    want[i] = std::clamp(want[i], c.epilogue.lo, c.epilogue.hi);
  }
  return want;
}

TEST(Depthwise, EveryRowEqualsThePlainLoops) {
  for (const DepthwiseKernel* kernel : depthwise_kernels()) {
    if (!isa_available(depthwise_kernel_isa(*kernel))) continue;
    const bool vector = depthwise_kernel_isa(*kernel) >= Isa::kAvx512;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      Random random(seed);
      Case c = make_case(random, depthwise_kernel_type(*kernel));
      ASSERT_TRUE(depthwise_fits(c.real.shape));
      if (!vector && c.epilogue.activation != UnaryOp::kIdentity) c.epilogue.activation = UnaryOp::kRelu;
      const std::vector<float> want = expected(c);
      const DepthwiseWeights w = pack(c, kernel);
      const std::vector<float> got = run(c, w, 1);
      const double size = 1e-5 * c.real.size() + 2e-6,
                   half_step = c.epilogue.output_type == DType::kFloat32 ? 0 : 1.0 / 256;
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], size + half_step * std::abs(want[i]))
            << w.kernel_name() << " seed " << seed << " output " << i;
      if (seed % 4 == 0) {
        ASSERT_EQ(run(c, w, 3), got) << w.kernel_name() << " seed " << seed << ": threads differ";
      }
    }
  }
}

TEST(Depthwise, NaNStaysWhereItIs) {
  for (const DepthwiseKernel* kernel : depthwise_kernels()) {
    if (!isa_available(depthwise_kernel_isa(*kernel))) continue;
    Case c;
    Random random(3);
    c.type = depthwise_kernel_type(*kernel);
    c.real.shape = {.in_h = 9, .in_w = 16, .in_c = 40, .out_h = 9, .out_w = 16, .out_c = 40, .kh = 3, .kw = 3,
                    .pad_top = 1, .pad_left = 1, .groups = 40};
    c.real.in = random.reals(9 * 16 * 40);
    c.real.filter = random.reals(40 * 9);
    c.real.in[(4 * 16 + 5) * 40 + 7] = std::numeric_limits<float>::quiet_NaN();
    c.in = narrow(c.real.in);
    c.epilogue.lo = 0, c.epilogue.hi = 6;
    const std::vector<float> got = run(c, pack(c, kernel), 1);
    for (std::int64_t i = 0; i < std::int64_t{9} * 16 * 40; ++i) {
      const std::int64_t y = i / 40 / 16, x = i / 40 % 16;
      ASSERT_EQ(std::isnan(got[static_cast<std::size_t>(i)]), i % 40 == 7 && std::abs(y - 4) < 2 && std::abs(x - 5) < 2);
    }
  }
}

TEST(Depthwise, RowsFollowTheInstructionSet) {
  Case c;
  Random random(1);
  c = make_case(random, DType::kFloat32);
  const auto chosen = [&] { return std::string(pack(c, nullptr).kernel_name()); };
  {
    const test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
    EXPECT_EQ(chosen(), "depthwise_f32__reference");
    EXPECT_FALSE(depthwise_takes(DType::kBFloat16));
  }
  if (!isa_available(Isa::kAvx2)) GTEST_SKIP() << "this CPU has no AVX2";
  const test::ScopedEnv force("PARE_FORCE_ISA", "avx2");
  EXPECT_EQ(chosen(), "depthwise_f32__avx2");
}

TEST(Depthwise, OtherShapesDoNotFit) {
  ConvShape s = ConvShape::matmul(3, 4, 4);
  EXPECT_FALSE(depthwise_fits(s));
  s.groups = 4;
  EXPECT_TRUE(depthwise_fits(s));
  s.kh = s.kw = 17;
  EXPECT_FALSE(depthwise_fits(s)) << "too many taps";
  s = ConvShape::matmul(3, 4, 8);
  s.groups = 4;
  EXPECT_FALSE(depthwise_fits(s)) << "two outputs an input";
}

}  // namespace
}  // namespace pare::kernels
