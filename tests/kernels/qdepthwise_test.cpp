// Integer depthwise convolution: its rows against each other, and against qconv with one group a channel.
#include "kernels/qdepthwise/qdepthwise.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "qconv_case.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = test::random_geometry(random, 7);
  c.shape.groups = c.shape.in_c = c.shape.out_c = random.integer(1, random.coin() ? 70 : 200);
  test::fill_case(random, c);
  return c;
}

QDepthwiseWeights packed_for(const QConvCase& c, const QDepthwiseKernel* kernel) {
  return QDepthwiseWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(), kernel);
}

std::vector<std::uint8_t> run(const QConvCase& c, const QDepthwiseKernel* kernel) {
  const QDepthwiseWeights w = packed_for(c, kernel);
  std::vector<std::uint8_t> out(c.output_bytes());
  qdepthwise(w, c.shape, c.input.data(), c.epilogue, out.data());
  return out;
}

std::vector<std::uint8_t> run_grouped(const QConvCase& c) {
  const auto w = QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(),
                                    qconv_kernels().back());
  std::vector<std::uint8_t> out(c.output_bytes());
  qconv(w, c.shape, c.input.data(), c.epilogue, out.data(), nullptr, 1);
  return out;
}

TEST(QDepthwise, EveryRowEqualsGroupedConvolutionBitForBit) {
  for (const QDepthwiseKernel* kernel : qdepthwise_kernels()) {
    if (!isa_available(qdepthwise_kernel_isa(*kernel))) continue;
    int taken = 0;  // a row that does not take a shape leaves it to the next one
    for (std::uint64_t seed = 0; seed < 1200; ++seed) {
      const QConvCase c = random_case(seed);
      taken += packed_for(c, kernel).kernel_name() == std::string_view(qdepthwise_kernel_name(*kernel));
      ASSERT_EQ(run(c, kernel), run_grouped(c)) << qdepthwise_kernel_name(*kernel) << " seed " << seed;
    }
    EXPECT_GT(taken, 60) << qdepthwise_kernel_name(*kernel);
  }
}

std::string key_of(const QConvCase& c) {
  return QDepthwiseWeights::packing_key(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null());
}

TEST(QDepthwise, WhatWasWrittenIsViewedAndAPieceOfItIsNot) {
  std::set<std::string> kernels;
  for (const char* isa : {"scalar", "avx2", "avx512vnni"}) {
    if (!isa_available(*isa_from_name(isa))) continue;
    const test::ScopedEnv force("PARE_FORCE_ISA", isa);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const QConvCase c = random_case(seed);
      const QDepthwiseWeights w = packed_for(c, nullptr);
      PackedWriter writer;
      w.write(writer);
      const auto bytes = std::as_bytes(std::span(writer.bytes()));
      PackedReader whole(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr), wrong(bytes, nullptr);
      const auto again = QDepthwiseWeights::view(c.shape, c.input_type, c.input_zero_point, whole);
      ASSERT_TRUE(again) << isa << " seed " << seed;
      ASSERT_STREQ(again->kernel_name(), w.kernel_name());
      EXPECT_EQ(again->bytes(), w.bytes());
      std::vector<std::uint8_t> out(c.output_bytes());
      qdepthwise(*again, c.shape, c.input.data(), c.epilogue, out.data());
      ASSERT_EQ(out, run(c, nullptr)) << isa << " seed " << seed;
      EXPECT_FALSE(QDepthwiseWeights::view(c.shape, c.input_type, c.input_zero_point, shorter));
      ConvShape other = c.shape;
      other.in_c = other.out_c = other.groups = other.groups + 64;
      EXPECT_FALSE(QDepthwiseWeights::view(other, c.input_type, c.input_zero_point, wrong));
      kernels.insert(w.kernel_name());
    }
  }
  for (const QDepthwiseKernel* kernel : qdepthwise_kernels())
    EXPECT_EQ(kernels.contains(qdepthwise_kernel_name(*kernel)), isa_available(qdepthwise_kernel_isa(*kernel)));
}

TEST(QDepthwise, StripsAreNotViewedWhereNoStripKernelTakesTheShape) {
  PackedWriter writer;
  writer.number(1);  // as of a strip kernel
  ConvShape s;
  s.in_c = s.out_c = s.groups = 64;
  s.kh = s.kw = 4;
  PackedReader reader(std::as_bytes(std::span(writer.bytes())), nullptr);
  EXPECT_FALSE(QDepthwiseWeights::view(s, DType::kUint8, 0, reader));
}

TEST(QDepthwise, KeysTellWhatThePackedBytesDependOn) {
  const QConvCase c = random_case(1);
  const std::string key = key_of(c);
  QConvCase other = c;
  other.shape.batch += 1, other.shape.in_h += 1, other.shape.out_h += 1;
  EXPECT_EQ(key_of(other), key) << "pixels do not matter";
  other.shape.stride_w += 1;
  EXPECT_NE(key_of(other), key);
  other = c;
  other.input_zero_point += 1;
  EXPECT_NE(key_of(other), key);
  other = c;
  other.bias.assign(static_cast<std::size_t>(c.shape.out_c), 77777);
  EXPECT_NE(key_of(other), key);
  const std::vector<std::int32_t> zero(static_cast<std::size_t>(c.shape.out_c), 99);
  other = c;
  other.weights.zero_point = zero.data();
  EXPECT_NE(key_of(other), key);
  const test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  if (isa_available(Isa::kScalar) && qdepthwise_kernels().size() > 1) EXPECT_NE(key_of(c), key);
}

TEST(QDepthwise, ForcedIsaTakesEffect) {
  const QConvCase c = random_case(1);
  test::ScopedEnv force("PARE_FORCE_ISA", "scalar");
  const auto w = QDepthwiseWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, nullptr);
  EXPECT_STREQ(w.kernel_name(), "qdepthwise__reference");
}

}  // namespace
}  // namespace pare::kernels
