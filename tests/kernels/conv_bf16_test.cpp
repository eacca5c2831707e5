// Convolutions of bfloat16: every row against the plain loops in f64, on odd sizes, by any number of threads.
#include "kernels/conv_bf16/conv_bf16.h"

#include <gtest/gtest.h>

#include <limits>
#include <tuple>

#include "base/threads.h"
#include "epilogue_case.h"

namespace pare::kernels {
namespace {

using test::narrow;
using test::Random;
using test::rounded;

constexpr std::size_t kGuard = 64;

using Case = test::EpilogueCase;

ConvShape random_shape(Random& random) {
  if (random.coin(0.3))
    return ConvShape::matmul(random.integer(1, random.coin(0.2) ? 120 : 40), random.integer(1, 40) * 2,
                             random.integer(1, 90));
  ConvShape s = test::random_geometry(random);
  if (random.coin()) {
    s.in_w = random.integer(20, 60);
    s.out_w = (s.in_w + s.pad_left + random.integer(0, 2) - s.dilation_w * (s.kw - 1) - 1) / s.stride_w + 1;
  }
  s.groups = random.coin(0.2) ? 2 : 1;
  s.in_c = s.groups * random.integer(1, random.coin(0.2) ? 150 : 20);
  s.out_c = s.groups * random.integer(1, random.coin(0.2) ? 100 : 33);
  return s;
}

Case make_case(Random& random, const ConvShape& shape) {
  return test::make_epilogue_case(random, shape, DType::kBFloat16);
}

Case random_case(std::uint64_t seed) {
  Random random(seed);
  ConvShape shape = random_shape(random);
  while (!bf16_fits(shape)) shape = random_shape(random);
  return make_case(random, shape);
}

Bf16Weights pack(const Case& c, const Bf16Kernel* kernel = nullptr) {
  return Bf16Weights::pack(c.real.shape, c.real.filter.data(), FilterStrides::oihw(c.real.shape), c.real.bias_or_null(),
                           kernel);
}

/// What lies behind the output stays.
std::vector<float> run(const Case& c, const Bf16Weights& w, int threads) {
  std::vector<std::uint8_t> out(c.output_bytes() + kGuard, 7);
  std::vector<std::byte> scratch(conv_bf16_scratch_bytes(w, c.real.shape, threads));
  const ThreadScope scope(threads);
  conv_bf16(w, c.real.shape, c.in.data(), c.epilogue, out.data(), scratch.data(), threads);
  EXPECT_TRUE(std::all_of(out.end() - kGuard, out.end(), [](std::uint8_t x) { return x == 7; }));
  return outputs_of(c, out.data());
}

double bound_of(const Case& c) {
  const double sum = 1e-6 * std::sqrt(static_cast<double>(c.real.shape.taps() * c.real.shape.group_in())) *
                     c.real.size() + 2e-6;
  const bool rough = c.epilogue.activation == UnaryOp::kGelu;  // where its result is rounded to bfloat16
  return c.epilogue.output_type == DType::kFloat32 ? sum : sum + (rough ? 5e-5 : 2e-6);
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want, const Case& c, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  const double bound = bound_of(c);
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(got[i], want[i], bound + c.half_step() * std::abs(want[i])) << what << " output " << i;
}

TEST(ConvBf16, EveryRowEqualsThePlainLoops) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Case c = random_case(seed);
    const std::vector<float> want = expected(c);
    for (const Bf16Kernel* kernel : conv_bf16_kernels()) {
      if (!isa_available(conv_bf16_kernel_isa(*kernel))) continue;
      const Bf16Weights w = pack(c, kernel);
      const std::vector<float> got = run(c, w, 1);
      expect_near(got, want, c, std::string(w.kernel_name()) + " seed " + std::to_string(seed));
      if (HasFatalFailure()) return;
      if (seed % 4 == 0) {
        ASSERT_EQ(run(c, w, 3), got) << w.kernel_name() << " seed " << seed << ": threads differ";
      }
    }
  }
}

TEST(ConvBf16, LargeProductsGoInBlocks) {
  Random random(3);
  for (const auto& [pixels, in_c, out_c] :
       {std::tuple(700, 1200, 33), std::tuple(49, 700, 330), std::tuple(3, 1200, 300)}) {
    Case c = make_case(random, ConvShape::matmul(pixels, in_c, out_c));
    const std::vector<float> got = run(c, pack(c), 1);
    expect_near(got, expected(c), c, std::to_string(pixels));
    EXPECT_EQ(run(c, pack(c), 4), got);
  }
}

TEST(ConvBf16, MayAddInPlace) {
  Random random(4);
  Case c = make_case(random, ConvShape::matmul(33, 50, 70));
  c.real.residual = random.reals(33 * 70);
  c.epilogue.output_type = c.epilogue.residual_type = DType::kBFloat16;
  c.residual = narrow(c.real.residual);
  c.epilogue.residual = c.residual.data();
  const Bf16Weights w = pack(c);
  const std::vector<float> want = run(c, w, 1);
  std::vector<std::uint16_t> both = c.residual;
  std::vector<std::byte> scratch(conv_bf16_scratch_bytes(w, c.real.shape, 1));
  c.epilogue.residual = both.data();
  conv_bf16(w, c.real.shape, c.in.data(), c.epilogue, both.data(), scratch.data(), 1);
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_EQ(bfloat16_to_float(both[i]), want[i]) << i;
}

TEST(ConvBf16, GeluFollowsItsDefinitionFarOut) {
  Case c;
  c.real.shape = ConvShape::matmul(200, 2, 32);
  for (std::int64_t i = 0; i < 200; ++i) c.real.in.insert(c.real.in.end(), {rounded(0.1f * (i - 100.0f)), 0.0f});
  c.real.filter.assign(64, 1.0f);
  c.in = narrow(c.real.in);
  c.epilogue.activation = UnaryOp::kGelu;
  for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
    c.epilogue.output_type = type;
    const std::vector<float> got = run(c, pack(c), 1);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const float x = c.real.in[i / 32 * 2], want = unary_one(UnaryOp::kGelu, {}, x);
      const bool wide = type == DType::kFloat32;
      ASSERT_NEAR(got[i], want, (wide ? 2e-6 : 5e-5) + (wide ? 1e-6 : 1.0 / 256) * std::abs(want)) << x;
    }
  }
}

TEST(ConvBf16, NaNStaysWhereItIs) {
  Random random(6);
  for (const Bf16Kernel* kernel : conv_bf16_kernels()) {
    if (!isa_available(conv_bf16_kernel_isa(*kernel))) continue;
    for (const UnaryOp op : test::kFused) {
      Case c = make_case(random, ConvShape::matmul(20, 6, 40));
      c.epilogue = {.activation = op, .lo = 0, .hi = 6};
      c.in[6 * 7 + 2] = float_to_bfloat16(std::numeric_limits<float>::quiet_NaN());  // of pixel 7
      const std::vector<float> got = run(c, pack(c, kernel), 1);
      for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(std::isnan(got[i]), i / 40 == 7) << i;
    }
  }
}

TEST(ConvBf16, OddShortLinesDoNotFit) {
  EXPECT_FALSE(bf16_fits(ConvShape::matmul(8, 7, 8)));
  EXPECT_TRUE(bf16_fits(ConvShape::matmul(8, 8, 8)));
  EXPECT_TRUE(bf16_fits(ConvShape::matmul(8, 35, 8)));
}

TEST(ConvBf16, WhatWasWrittenIsViewedAndAPieceOfItIsNot) {
  for (std::uint64_t seed = 5000; seed < 5030; ++seed) {
    const Case c = random_case(seed);
    const Bf16Weights w = pack(c);
    PackedWriter writer;
    w.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader whole(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr), wrong(bytes, nullptr);
    const auto again = Bf16Weights::view(c.real.shape, whole);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
    EXPECT_EQ(again->bytes(), w.bytes());
    EXPECT_FALSE(Bf16Weights::view(c.real.shape, shorter));
    ConvShape other = c.real.shape;
    other.out_c += 64 * other.groups;
    EXPECT_FALSE(Bf16Weights::view(other, wrong));
  }
}

TEST(ConvBf16, KeysTellWhatThePackedBytesDependOn) {
  const Case c = random_case(1);
  const auto strides = FilterStrides::oihw(c.real.shape);
  const auto key = [&](const ConvShape& s, const FilterStrides& f, const float* bias) {
    return Bf16Weights::packing_key(s, f, bias);
  };
  const std::string own = key(c.real.shape, strides, c.real.bias_or_null());
  ConvShape more = c.real.shape;
  more.batch += 1;
  EXPECT_EQ(key(more, strides, c.real.bias_or_null()), own) << "pixels do not matter";
  more.in_c += more.groups;
  EXPECT_NE(key(more, strides, c.real.bias_or_null()), own);
  const std::vector<float> bias(static_cast<std::size_t>(c.real.shape.out_c), 3.0f);
  EXPECT_NE(key(c.real.shape, strides, bias.data()), own);
}

}  // namespace
}  // namespace pare::kernels
