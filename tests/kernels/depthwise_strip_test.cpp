// Depthwise strips: every row against the plain loops in f64, on odd sizes, by any number of threads.
#include "kernels/depthwise_strip/depthwise_strip.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/threads.h"
#include "float_case.h"
#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {
namespace {

using test::Random;
using Case = test::FloatCase;

constexpr std::size_t kGuard = 64;

ConvShape random_shape(Random& random) {
  ConvShape s;
  s.kh = s.kw = random.coin() ? 3 : 5;
  s.stride_h = s.stride_w = random.integer(1, 2);
  s.pad_top = random.integer(0, s.kh), s.pad_left = random.integer(0, s.kw);
  s.batch = random.integer(1, 2);
  s.in_c = s.out_c = s.groups = random.integer(2, random.coin(0.2) ? 150 : 40);
  s.in_h = random.integer(1, 12), s.in_w = random.integer(1, 30);
  // What is padded below and to the right is whatever makes these sizes come out.
  s.out_h = random.integer(1, 9), s.out_w = random.integer(1, 25);
  return s;
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  return test::make_float_case(random, random_shape(random));
}

DepthwiseStripWeights pack(const Case& c, const DepthwiseStripKernel* kernel = nullptr) {
  return DepthwiseStripWeights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), kernel);
}

/// What lies behind the output stays.
std::vector<float> run(const Case& c, const DepthwiseStripWeights& w, int threads,
                       FusedActivation activation = FusedActivation::kNone) {
  std::vector<float> out(c.outputs() + kGuard, std::numeric_limits<float>::quiet_NaN());
  std::fill(out.end() - kGuard, out.end(), 7.0f);
  const ThreadScope scope(threads);
  depthwise_strip(w, c.shape, c.in.data(), c.epilogue, activation, out.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](float x) { return x == 7.0f; }));
  out.resize(c.outputs());
  return out;
}

TEST(DepthwiseStrip, EveryRowEqualsThePlainLoops) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Case c = random_case(seed);
    ASSERT_TRUE(depthwise_strip_fits(c.shape));
    const std::vector<float> want = test::direct(c);
    const double bound = 1e-6 * std::sqrt(static_cast<double>(c.shape.taps())) * c.size() + 2e-7;
    for (const DepthwiseStripKernel* kernel : depthwise_strip_kernels()) {
      if (!isa_available(depthwise_strip_kernel_isa(*kernel))) continue;
      const DepthwiseStripWeights w = pack(c, kernel);
      const std::vector<float> got = run(c, w, 1);
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], bound) << w.kernel_name() << " seed " << seed << " output " << i;
      ASSERT_EQ(run(c, w, 3), got) << w.kernel_name() << " seed " << seed << ": threads differ";
      const std::vector<float> swish = run(c, w, 1, FusedActivation::kHardSwish);
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(swish[i], unary_one(UnaryOp::kHardSwish, {}, want[i]), 1.5 * bound) << w.kernel_name() << " " << i;
    }
  }
}

TEST(DepthwiseStrip, LargeImagesAreShared) {
  Random random(3);
  ConvShape s;
  s.kh = s.kw = 5, s.pad_top = s.pad_left = 2;
  s.in_h = s.out_h = 19, s.in_w = s.out_w = 23, s.in_c = s.out_c = s.groups = 200;
  for (const std::int64_t rows : {std::int64_t{19}, std::int64_t{1}}) {  // few rows: threads take channels
    s.in_h = s.out_h = rows;
    const Case c = test::make_float_case(random, s);
    const std::vector<float> want = test::direct(c), got = run(c, pack(c), 1);
    const double bound = 5e-6 * c.size();
    for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], bound) << i;
    for (int threads : {2, 4}) EXPECT_EQ(run(c, pack(c), threads), got);
  }
}

TEST(DepthwiseStrip, NaNStaysInItsChannel) {
  Case c = random_case(5);
  c.epilogue = {nullptr, 0, 6};
  c.in.assign(c.in.size(), 1.0f);
  c.in[1] = std::numeric_limits<float>::quiet_NaN();  // of channel 1
  for (const DepthwiseStripKernel* kernel : depthwise_strip_kernels()) {
    if (!isa_available(depthwise_strip_kernel_isa(*kernel))) continue;
    const std::vector<float> got = run(c, pack(c, kernel), 1);
    for (std::size_t i = 0; i < got.size(); ++i)
      if (static_cast<std::int64_t>(i) % c.shape.out_c != 1) EXPECT_FALSE(std::isnan(got[i])) << i;
  }
}

TEST(DepthwiseStrip, OtherShapesDoNotFit) {
  ConvShape s;
  s.in_h = s.in_w = s.out_h = s.out_w = 5, s.kh = s.kw = 3, s.pad_top = s.pad_left = 1;
  s.in_c = s.out_c = s.groups = 8;
  EXPECT_TRUE(depthwise_strip_fits(s));
  for (std::int64_t ConvShape::*field : {&ConvShape::kh, &ConvShape::kw, &ConvShape::stride_h, &ConvShape::dilation_h,
                                         &ConvShape::dilation_w, &ConvShape::groups, &ConvShape::out_c}) {
    ConvShape other = s;
    ++(other.*field);
    EXPECT_FALSE(depthwise_strip_fits(other));
  }
}

}  // namespace
}  // namespace pare::kernels
