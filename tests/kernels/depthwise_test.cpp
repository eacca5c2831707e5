// Depthwise convolutions: every row against the plain loops, by any number of threads.
#include "kernels/depthwise/depthwise.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/threads.h"
#include "epilogue_case.h"

namespace pare::kernels {
namespace {

using test::Random;

constexpr std::size_t kGuard = 64;

using Case = test::EpilogueCase;

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

Case make_case(Random& random, DType type) { return test::make_epilogue_case(random, random_shape(random), type); }

DepthwiseWeights pack(const Case& c, const DepthwiseKernel* kernel) {
  return DepthwiseWeights::pack(c.real.shape, c.type, c.real.filter.data(), FilterStrides::oihw(c.real.shape),
                                c.real.bias_or_null(), kernel);
}

/// What lies behind the output stays.
std::vector<float> run(const Case& c, const DepthwiseWeights& w, int threads) {
  std::vector<std::uint8_t> out(c.output_bytes() + kGuard, 7);
  const ThreadScope scope(threads);
  depthwise(w, c.real.shape, c.input(), c.epilogue, out.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](std::uint8_t x) { return x == 7; }));
  return outputs_of(c, out.data());
}

TEST(Depthwise, EveryRowEqualsThePlainLoops) {
  for (const DepthwiseKernel* kernel : depthwise_kernels()) {
    if (!isa_available(depthwise_kernel_isa(*kernel))) continue;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      Random random(seed);
      const Case c = make_case(random, depthwise_kernel_type(*kernel));
      ASSERT_TRUE(depthwise_fits(c.real.shape));
      const std::vector<float> want = expected(c);
      const DepthwiseWeights w = pack(c, kernel);
      const std::vector<float> got = run(c, w, 1);
      const double size = 1e-5 * c.real.size() + 2e-6;
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], size + c.half_step() * std::abs(want[i]))
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
    c.in = test::narrow(c.real.in);
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
