// Products of pixels by our own tiles: every row against the plain loops in f64, on odd sizes, by any number of
// threads.
#include "kernels/pointwise/pointwise.h"

#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "base/threads.h"
#include "float_case.h"
#include "kernels/elementwise/elementwise.h"

namespace pare::kernels {
namespace {

using test::direct;
using test::Random;
using Case = test::FloatCase;

constexpr std::size_t kGuard = 64;

/// Rounding errors of a sum have any sign: their sum grows with the root of what is summed.
double bound_of(const Case& c) { return 1e-6 * std::sqrt(static_cast<double>(c.shape.in_c)) * c.size() + 2e-7; }

ConvShape random_shape(Random& random) {
  const std::int64_t in_c = random.coin(0.1) ? 1 : random.integer(1, random.coin(0.1) ? 300 : 70),
                     out_c = random.coin(0.1) ? 1 : random.integer(1, random.coin(0.2) ? 120 : 50);
  if (random.coin()) return ConvShape::matmul(random.integer(1, random.coin(0.2) ? 120 : 40), in_c, out_c);
  ConvShape s;
  s.batch = random.integer(1, 3);
  s.in_h = s.out_h = random.integer(1, 9), s.in_w = s.out_w = random.integer(1, 9);
  s.in_c = in_c, s.out_c = out_c;
  return s;
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  const ConvShape shape = random_shape(random);
  return test::make_float_case(random, shape);
}

PointwiseWeights pack(const Case& c, const PointwiseKernel* kernel = nullptr) {
  return PointwiseWeights::pack(c.shape, c.filter.data(), FilterStrides::oihw(c.shape), c.bias_or_null(), kernel);
}

/// What lies behind the output stays.
std::vector<float> run(const Case& c, const PointwiseWeights& w, int threads) {
  std::vector<float> out(c.outputs() + kGuard, std::numeric_limits<float>::quiet_NaN());
  std::fill(out.end() - kGuard, out.end(), 7.0f);
  const ThreadScope scope(threads);
  pointwise(w, c.shape, c.in.data(), {c.epilogue}, out.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](float x) { return x == 7.0f; }));
  out.resize(c.outputs());
  return out;
}

TEST(Pointwise, EveryRowEqualsThePlainLoops) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Case c = random_case(seed);
    ASSERT_TRUE(pointwise_fits(c.shape));
    const std::vector<float> want = direct(c);
    const double bound = bound_of(c);
    for (const PointwiseKernel* kernel : pointwise_kernels()) {
      if (!isa_available(pointwise_kernel_isa(*kernel))) continue;
      const PointwiseWeights w = pack(c, kernel);
      const std::vector<float> got = run(c, w, 1);
      for (std::size_t i = 0; i < want.size(); ++i)
        ASSERT_NEAR(got[i], want[i], bound) << w.kernel_name() << " seed " << seed << " output " << i;
      ASSERT_EQ(run(c, w, 3), got) << w.kernel_name() << " seed " << seed << ": threads differ";
    }
  }
}

/// One channel in, one pixel a value: what comes out is the activation of it.
std::vector<float> activated(const std::vector<float>& values, UnaryOp activation,
                             const PointwiseKernel* kernel) {
  const auto count = static_cast<std::int64_t>(values.size());
  const std::vector<float> ones(19, 1.0f);
  const ConvShape shape = ConvShape::matmul(count, 1, 19);
  const auto w = PointwiseWeights::pack(shape, ones.data(), FilterStrides::oihw(shape), nullptr, kernel);
  std::vector<float> out(values.size() * 19), first;
  pointwise(w, shape, values.data(), {{}, activation}, out.data(), 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::isnan(out[19 * i]), std::isnan(out[19 * i + 18]));
    first.push_back(out[19 * i + 18]);
  }
  return first;
}

TEST(Pointwise, ActivationsAreThoseOfUnary) {
  std::vector<float> values = {0.0f, -0.0f, 1e-30f, 200.0f, -200.0f, 1e30f, -1e30f};
  for (float x = -15; x < 15; x += 0.0037f) values.push_back(x);
  for (const UnaryOp op : {UnaryOp::kRelu, UnaryOp::kHardSwish, UnaryOp::kSigmoid, UnaryOp::kSilu, UnaryOp::kGelu,
                           UnaryOp::kGeluTanh})
    for (const PointwiseKernel* kernel : pointwise_kernels()) {
      if (!isa_available(pointwise_kernel_isa(*kernel))) continue;
      const std::vector<float> got = activated(values, op, kernel);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const float want = unary_one(op, {}, values[i]);
        ASSERT_NEAR(got[i], want, 2e-6f * std::abs(want) + 1.5e-7f)
            << pointwise_kernel_name(*kernel) << " " << static_cast<int>(op) << " of " << values[i];
      }
      EXPECT_TRUE(std::isnan(activated({std::numeric_limits<float>::quiet_NaN()}, op, kernel)[0]));
    }
}

TEST(Pointwise, ActivationsComeLast) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Case c = random_case(seed);
    const std::vector<float> before = direct(c);
    for (const PointwiseKernel* kernel : pointwise_kernels()) {
      if (!isa_available(pointwise_kernel_isa(*kernel))) continue;
      std::vector<float> got(c.outputs());
      pointwise(pack(c, kernel), c.shape, c.in.data(), {c.epilogue, UnaryOp::kSilu}, got.data(), 2);
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], unary_one(UnaryOp::kSilu, {}, before[i]), 1.2 * bound_of(c)) << seed << " output " << i;
    }
  }
}

TEST(Pointwise, LargeProductsGoInChunks) {
  Random random(3);
  for (const auto& [pixels, in_c, out_c] :
       {std::tuple(300, 600, 33), std::tuple(49, 700, 130), std::tuple(3, 1200, 300)}) {
    const Case c = test::make_float_case(random, ConvShape::matmul(pixels, in_c, out_c));
    const std::vector<float> want = direct(c), got = run(c, pack(c), 1);
    const double bound = bound_of(c);
    for (std::size_t i = 0; i < want.size(); ++i)
      ASSERT_NEAR(got[i], want[i], bound) << pixels << " output " << i;
    EXPECT_EQ(run(c, pack(c), 4), got);
  }
}

TEST(Pointwise, WeightsLieInAnyOrderAndMayAddInPlace) {
  Random random(4);
  Case c = test::make_float_case(random, ConvShape::matmul(33, 50, 37));
  c.residual = random.reals(33 * 37);
  c.epilogue = {c.residual.data(), -0.5f, kInfinity};
  std::vector<float> transposed(c.filter.size());
  for (std::size_t o = 0; o < 37; ++o)
    for (std::size_t i = 0; i < 50; ++i) transposed[i * 37 + o] = c.filter[o * 50 + i];
  const auto w = PointwiseWeights::pack(c.shape, transposed.data(), {1, 37, 0, 0}, c.bias_or_null());
  std::vector<float> got = c.residual;
  pointwise(w, c.shape, c.in.data(), {got.data(), -0.5f, kInfinity}, got.data(), 1);
  EXPECT_EQ(got, run(c, pack(c), 1));
}

TEST(Pointwise, NaNStays) {
  Random random(6);
  Case c = test::make_float_case(random, ConvShape::matmul(20, 5, 40));
  c.epilogue = {nullptr, 0, 6};
  c.in[5 * 7 + 2] = std::numeric_limits<float>::quiet_NaN();  // of pixel 7
  for (const PointwiseKernel* kernel : pointwise_kernels()) {
    if (!isa_available(pointwise_kernel_isa(*kernel))) continue;
    const std::vector<float> got = run(c, pack(c, kernel), 1);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i / 40 == 7) << i;
  }
}

TEST(Pointwise, WhatWasWrittenIsViewedAndAPieceOfItIsNot) {
  for (std::uint64_t seed = 5000; seed < 5050; ++seed) {
    const Case c = random_case(seed);
    const PointwiseWeights w = pack(c);
    PackedWriter writer;
    w.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader whole(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr), wrong(bytes, nullptr);
    const auto again = PointwiseWeights::view(c.shape, whole);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
    EXPECT_EQ(again->bytes(), w.bytes());
    EXPECT_FALSE(PointwiseWeights::view(c.shape, shorter));
    ConvShape other = c.shape;
    other.out_c += 64;
    EXPECT_FALSE(PointwiseWeights::view(other, wrong));
  }
}

TEST(Pointwise, KeysTellWhatThePackedBytesDependOn) {
  const Case c = random_case(1);
  const auto strides = FilterStrides::oihw(c.shape);
  const std::string key = PointwiseWeights::packing_key(c.shape, strides, c.bias_or_null());
  ConvShape more = c.shape;
  more.batch += 1;
  EXPECT_EQ(PointwiseWeights::packing_key(more, strides, c.bias_or_null()), key) << "pixels do not matter";
  more.in_c += 1;
  EXPECT_NE(PointwiseWeights::packing_key(more, strides, c.bias_or_null()), key);
  EXPECT_NE(PointwiseWeights::packing_key(c.shape, {1, c.shape.out_c + 5, 0, 0}, c.bias_or_null()), key);
  const std::vector<float> bias(static_cast<std::size_t>(c.shape.out_c), 3.0f);
  EXPECT_NE(PointwiseWeights::packing_key(c.shape, strides, bias.data()), key);
}

TEST(Pointwise, RowsFollowTheInstructionSet) {
  const Case c = random_case(1);
  {
    const test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
    EXPECT_STREQ(pack(c).kernel_name(), "pointwise_f32__reference");
  }
  for (const char* isa : {"avx2", "avx512"}) {
    if (!isa_available(*isa_from_name(isa))) continue;
    const test::ScopedEnv force("PARE_FORCE_ISA", isa);
    EXPECT_EQ(pack(c).kernel_name(), std::string("pointwise_f32__") + isa);
  }
}

TEST(Pointwise, PixelsOfALargerStrideAreGathered) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    ConvShape s;
    s.batch = random.integer(1, 3), s.in_c = random.integer(1, 40), s.out_c = random.integer(1, 50);
    s.stride_h = random.integer(1, 3), s.stride_w = random.integer(s.stride_h == 1 ? 2 : 1, 3);
    s.in_h = random.integer(1, 12), s.in_w = random.integer(1, 12);
    s.out_h = (s.in_h - 1) / s.stride_h + 1, s.out_w = (s.in_w - 1) / s.stride_w + 1;
    ASSERT_TRUE(pointwise_fits_gathered(s));
    const Case c = test::make_float_case(random, s);
    std::vector<float> pixels(static_cast<std::size_t>(s.pixels() * s.in_c)), got(c.outputs());
    gather_pixels(s, c.in.data(), pixels.data());
    pointwise(pack(c), s, pixels.data(), {c.epilogue}, got.data(), 1);
    const std::vector<float> want = direct(c);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], bound_of(c)) << seed << " output " << i;
  }
}

TEST(Pointwise, OtherShapesDoNotFit) {
  ConvShape plain;
  EXPECT_FALSE(pointwise_fits_gathered(plain)) << "needs no gathering";
  ConvShape s;
  s.in_h = s.in_w = s.out_h = s.out_w = 5;
  EXPECT_TRUE(pointwise_fits(s));
  EXPECT_TRUE(pointwise_fits(ConvShape::matmul(3, 4, 5)));
  for (std::int64_t ConvShape::*field : {&ConvShape::kh, &ConvShape::kw, &ConvShape::stride_h, &ConvShape::stride_w,
                                         &ConvShape::pad_top, &ConvShape::pad_left, &ConvShape::groups}) {
    ConvShape other = s;
    ++(other.*field);
    EXPECT_FALSE(pointwise_fits(other));
  }
}

}  // namespace
}  // namespace pare::kernels
