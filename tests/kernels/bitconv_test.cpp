// Convolution by bits and low-bit integer products of few rows: every row against the dense reference, bit for bit.
#include "kernels/bitconv/bitconv.h"

#include <gtest/gtest.h>

#include "base/threads.h"
#include "kernels/qbits/qbits.h"
#include "sparse_family.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;
using test::run_dense;

/// A case whose weights are `values` of.
template <class Value>
void set_weights(QConvCase& c, Value value) {
  for (std::uint8_t& w : c.filter) w = static_cast<std::uint8_t>(value());
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
}

struct BitCase : QConvCase {
  BitInputs inputs;
};

BitCase bit_case(std::uint64_t seed) {
  Random random(seed);
  BitCase c;
  c.shape = random.coin(0.3) ? ConvShape::matmul(random.integer(1, 60), 1, 1) : test::random_geometry(random);
  c.shape.groups = 1;
  c.shape.in_c = random.coin() ? random.integer(1, 40) : random.integer(1, 400);
  c.shape.out_c = random.integer(1, random.coin(0.1) ? 100 : 40);
  test::fill_case(random, c);
  const bool zeros = random.coin();
  set_weights(c, [&] { return zeros ? random.integer(-1, 1) : random.coin() ? 1 : -1; });
  c.inputs = {c.input_type, 0, 0, static_cast<int>(random.integer(1, 2))};
  const std::int64_t most = (1 << c.inputs.bits) - 1, least = c.input_type == DType::kInt8 ? -128 : 0;
  c.inputs.lowest = static_cast<std::int32_t>(random.coin() ? least + random.integer(0, 255 - most) : 0);
  c.inputs.zero_point = c.input_zero_point = c.inputs.lowest + static_cast<std::int32_t>(random.integer(0, most));
  const bool full = random.coin(0.2);
  for (std::uint8_t& x : c.input)
    x = static_cast<std::uint8_t>(c.inputs.lowest + (full ? most : random.integer(0, most)));
  return c;
}

std::vector<std::uint8_t> run(const BitCase& c, const BitConvWeights& w, int threads) {
  std::vector<std::uint8_t> out(c.output_bytes());
  std::vector<std::byte> scratch(bitconv_scratch_bytes(w, c.shape, threads));
  const ThreadScope scope(threads);
  bitconv(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), threads);
  return out;
}

TEST(BitConv, EveryRowEqualsTheDenseReferenceBitForBit) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const BitCase c = bit_case(seed);
    ASSERT_TRUE(BitConvWeights::takes(c.shape, c.weights, c.inputs));
    const std::vector<std::uint8_t> want = run_dense(c);
    for (const BitConvKernel* kernel : bitconv_kernels()) {
      if (!isa_available(bitconv_kernel_isa(*kernel))) continue;
      const auto w = BitConvWeights::pack(c.shape, c.weights, c.inputs, c.bias_or_null(), kernel);
      for (int threads : {1, 3})
        ASSERT_EQ(run(c, w, threads), want) << w.kernel_name() << " seed " << seed << " threads " << threads;
    }
  }
}

TEST(BitConv, LongSumsDoNotOverflowTheirBytes) {
  BitCase c;
  c.shape = ConvShape::matmul(3, 5000, 20);
  Random random(1);
  test::fill_case(random, c);
  c.input_type = DType::kUint8, c.input_zero_point = 0;
  c.inputs = {DType::kUint8, 0, 0, 2};
  set_weights(c, [] { return 1; });
  std::fill(c.input.begin(), c.input.end(), std::uint8_t{3});
  for (const BitConvKernel* kernel : bitconv_kernels())
    if (isa_available(bitconv_kernel_isa(*kernel))) {
      EXPECT_EQ(run(c, BitConvWeights::pack(c.shape, c.weights, c.inputs, c.bias_or_null(), kernel), 1), run_dense(c));
    }
}

TEST(BitConv, TakesWeightsOfThreeValuesAndInputsThatHoldTheZeroPoint) {
  const ConvShape s = ConvShape::matmul(1, 4, 2);
  const std::int8_t few[8] = {1, -1, 0, 1, 1, 0, 0, -1}, many[8] = {1, 2, 0, 0, 0, 0, 0, 0};
  const BitInputs inputs{DType::kUint8, 0, 0, 2};
  EXPECT_TRUE(BitConvWeights::takes(s, {few, false, {4, 1, 0, 0}, nullptr}, inputs));
  EXPECT_FALSE(BitConvWeights::takes(s, {many, false, {4, 1, 0, 0}, nullptr}, inputs));
  EXPECT_FALSE(BitConvWeights::takes(s, {few, true, {4, 1, 0, 0}, nullptr}, inputs));
  EXPECT_FALSE(BitConvWeights::takes(s, {few, false, {4, 1, 0, 0}, nullptr}, {DType::kUint8, 4, 0, 2}));
  EXPECT_FALSE(BitConvWeights::takes(s, {few, false, {4, 1, 0, 0}, nullptr}, {DType::kUint8, 0, 1, 2}));
  EXPECT_FALSE(BitConvWeights::takes(s, {few, false, {4, 1, 0, 0}, nullptr}, {DType::kUint8, 0, 0, 3}));
}

TEST(BitConv, WeightsAreViewedFromWhatWasWritten) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const BitCase c = bit_case(seed + 3000);
    const auto w = BitConvWeights::pack(c.shape, c.weights, c.inputs, c.bias_or_null());
    PackedWriter writer;
    w.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader reader(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr);
    const auto again = BitConvWeights::view(c.shape, c.inputs, reader);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
    EXPECT_FALSE(BitConvWeights::view(c.shape, c.inputs, shorter));
  }
}

struct FewBitsCase : QConvCase {
  QBitsCode code;
};

/// Weights of two values, or of four or sixteen consecutive ones.
FewBitsCase few_bits_case(std::uint64_t seed) {
  Random random(seed);
  FewBitsCase c;
  c.shape = ConvShape::matmul(random.integer(1, random.coin(0.2) ? 11 : 4), random.integer(1, random.coin() ? 40 : 700),
                              random.integer(1, 70));
  test::fill_case(random, c);
  const std::int64_t kind = random.integer(0, 2), span = kind == 1 ? 3 : 15;
  const std::int64_t low = random.integer(-128, kind == 0 ? 127 : 127 - span), other = random.integer(-128, 127);
  set_weights(c, [&] { return kind == 0 ? (random.coin() ? low : other) : low + random.integer(0, span); });
  c.code = *QBitsWeights::code_of(c.shape, c.weights);
  return c;
}

std::vector<std::uint8_t> run(const FewBitsCase& c, const QBitsWeights& w, int threads) {
  std::vector<std::uint8_t> out(c.output_bytes());
  std::vector<std::byte> scratch(qbits_scratch_bytes(w, c.shape));
  const ThreadScope scope(threads);
  qbits(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), threads);
  return out;
}

TEST(QBits, EveryRowEqualsTheDenseReferenceBitForBit) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const FewBitsCase c = few_bits_case(seed);
    const std::vector<std::uint8_t> want = run_dense(c);
    for (const QBitsKernel* kernel : qbits_kernels()) {
      if (!isa_available(qbits_kernel_isa(*kernel))) continue;
      const auto w = QBitsWeights::pack(c.shape, c.weights, c.code, c.input_type, c.input_zero_point, c.bias_or_null(), kernel);
      for (int threads : {1, 3})
        ASSERT_EQ(run(c, w, threads), want) << w.kernel_name() << " seed " << seed << " threads " << threads;
    }
  }
}

TEST(QBits, TakesTheFewestBits) {
  const ConvShape s = ConvShape::matmul(1, 3, 1);
  const auto bits = [&](std::int8_t a, std::int8_t b, std::int8_t c) {
    const std::int8_t w[3] = {a, b, c};
    const auto code = QBitsWeights::code_of(s, {w, false, {3, 1, 0, 0}, nullptr});
    return code ? code->bits : 0;
  };
  EXPECT_EQ(bits(5, 5, 5), 1);
  EXPECT_EQ(bits(-127, 127, -127), 1);
  EXPECT_EQ(bits(-1, 0, 1), 2);
  EXPECT_EQ(bits(-8, 0, 7), 4);
  EXPECT_EQ(bits(-8, 0, 8), 0);
}

TEST(QBits, WeightsAreViewedFromWhatWasWritten) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const FewBitsCase c = few_bits_case(seed + 3000);
    const auto w = QBitsWeights::pack(c.shape, c.weights, c.code, c.input_type, c.input_zero_point, c.bias_or_null());
    PackedWriter writer;
    w.write(writer);
    const auto bytes = std::as_bytes(std::span(writer.bytes()));
    PackedReader reader(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr);
    const auto again = QBitsWeights::view(c.shape, c.code, c.input_type, c.input_zero_point, reader);
    ASSERT_TRUE(again);
    EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
    EXPECT_FALSE(QBitsWeights::view(c.shape, c.code, c.input_type, c.input_zero_point, shorter));
  }
}

}  // namespace
}  // namespace pare::kernels
