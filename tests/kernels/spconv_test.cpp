// Sparse integer convolution: every row against the dense reference with the zeros in place, bit for bit.
#include "kernels/spconv/spconv.h"

#include <gtest/gtest.h>

#include "kernels/spconv/row.h"
#include "sparse_family.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

enum class Zeros { kBalanced, kUnstructured, kEmptyRows, kFull, kUneven };

/// Zeros in weights that lie [out_c][taps of in_c] in some order of strides.
void thin_out(Random& random, Zeros zeros, QConvCase& c) {
  const ConvShape& s = c.shape;
  const FilterStrides& f = c.weights.strides;
  auto* w = const_cast<std::int8_t*>(static_cast<const std::int8_t*>(c.weights.data));
  const std::int64_t q = 4 * (random.coin() ? random.integer(1, 2) : random.integer(1, 8));
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    const bool empty = zeros == Zeros::kEmptyRows && random.coin();
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t i = 0; i < s.in_c; ++i) {
        const bool keep = zeros == Zeros::kFull           ? true
                          : zeros == Zeros::kBalanced     ? (i + 7 * o + 3 * tap) % 64 * 11 % 64 < q
                          : zeros == Zeros::kUnstructured ? random.coin(0.1)
                          : zeros == Zeros::kUneven       ? random.coin(o % 4 == 1 ? 0.6 : 0.03)
                                                          : !empty && random.coin(0.3);
        if (!keep) w[o * f.o + i * f.i + tap / s.kw * f.y + tap % s.kw * f.x] = 0;
      }
  }
}

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = random.coin(0.3) ? ConvShape::matmul(random.integer(1, 30), 1, 1) : test::random_geometry(random);
  c.shape.groups = 1;
  c.shape.in_c = random.integer(1, random.coin() ? 40 : 200);
  c.shape.out_c = random.integer(1, 40);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  thin_out(random, static_cast<Zeros>(random.integer(0, 4)), c);
  return c;
}

using Family = test::SparseFamily<SpConvWeights, spconv_scratch_bytes, spconv, spconv_kernels, spconv_kernel_isa,
                                  spconv_kernel_name>;

TEST(SpConv, EveryRowEqualsTheDenseReferenceBitForBit) { Family::expect_dense(random_case, 1500); }

/// Some output channels have many weights, and those beside them few: rows are grouped.
QConvCase uneven_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = random.coin() ? ConvShape::matmul(random.integer(1, 70), 1, 1) : test::random_geometry(random, 3);
  c.shape.in_c = random.integer(64, 300);
  c.shape.out_c = random.integer(40, 200);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  thin_out(random, Zeros::kUneven, c);
  return c;
}
TEST(SpConv, GroupedRowsEqualTheDenseReferenceBitForBit) {
  Family::expect_dense(uneven_case, 150);
  int grouped = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed)
    grouped += !Family::pack<SpConvKernel>(uneven_case(seed), nullptr).packed().order.empty();
  EXPECT_GT(grouped, 100);
}

/// Whole groups of 64 inputs with equally many weights each, and enough of them that blocks go in groups.
QConvCase large_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  ConvShape& s = c.shape;
  const std::int64_t side = random.integer(4, 9);
  s.batch = 1, s.in_h = s.in_w = side;
  s.kh = s.kw = random.coin() ? 3 : 1;
  s.pad_top = s.pad_left = s.kh / 2;
  s.out_h = s.out_w = side;
  s.in_c = 64 * random.integer(1, s.kh == 3 ? 4 : 16);
  s.out_c = random.coin(0.2) ? random.integer(100, 300) : 64 * random.integer(2, 8);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  thin_out(random, Zeros::kBalanced, c);
  return c;
}
TEST(SpConv, LargeBalancedWeightsEqualTheDenseReferenceBitForBit) { Family::expect_dense(large_case, 60); }

TEST(SpConv, WeightsAreViewedFromWhatWasWritten) {
  Family::expect_viewed(random_case);
  Family::expect_viewed(uneven_case);
}

/// What kernels go by, each changed so that they would read elsewhere.
TEST(SpConv, WhatDoesNotFitIsNotViewed) {
  const QConvCase c = uneven_case(1);
  const SpConvPacked whole = Family::pack<SpConvKernel>(c, nullptr).packed();
  const auto views = [&](auto change) {
    SpConvPacked packed = whole;
    std::vector<std::uint32_t> counts(whole.counts.data(), whole.counts.data() + whole.counts.size());
    std::vector<SpConvWindow> windows(whole.windows.data(), whole.windows.data() + whole.windows.size());
    std::vector<std::uint8_t> order(whole.order.data(), whole.order.data() + whole.order.size());
    change(counts, windows, order);
    packed.counts = PackedArray<std::uint32_t>(counts);
    packed.windows = PackedArray<SpConvWindow>(windows);
    packed.order = PackedArray<std::uint8_t>(order);
    PackedWriter writer;
    SpConvWeights(std::make_shared<const SpConvPacked>(packed)).write(writer);
    PackedReader reader(std::as_bytes(std::span(writer.bytes())), nullptr);
    return SpConvWeights::view(c.shape, c.input_type, c.input_zero_point, reader).has_value();
  };
  ASSERT_FALSE(whole.order.empty());
  EXPECT_TRUE(views([](auto&, auto&, auto&) {}));
  EXPECT_FALSE(views([](auto& counts, auto&, auto&) { ++counts[0]; }));
  EXPECT_FALSE(views([](auto& counts, auto&, auto&) { counts.back() = 1u << 31; }));
  EXPECT_FALSE(views([](auto&, auto& windows, auto&) { ++windows[0].slots; }));
  EXPECT_FALSE(views([&](auto&, auto& windows, auto&) { windows[0].start = whole.length - kSpConvWindow + 1; }));
  EXPECT_FALSE(views([](auto&, auto&, auto& order) { order[0] = order[1]; }));
  EXPECT_FALSE(views([](auto&, auto&, auto& order) { order[0] = 64; }));
}

TEST(SpConv, BalancedWeightsFillTheirSlots) {
  for (int q : {4, 8, 16, 32}) {
    const ConvShape s = ConvShape::matmul(5, 128, 32);
    std::vector<std::int8_t> w(128 * 32);
    for (std::int64_t o = 0; o < 32; ++o)
      for (std::int64_t i = 0; i < 128; ++i) w[o * 128 + i] = static_cast<std::int8_t>((i * 5 + o) % 64 < q ? 3 : 0);
    const QConvFilter filter{w.data(), false, {128, 1, 0, 0}, nullptr};
    const auto packed = SpConvWeights::pack(s, filter, DType::kUint8, 0, nullptr);
    EXPECT_DOUBLE_EQ(packed.density(), q / 64.0);
  }
}

TEST(SpConv, TakesSignedWeightsWithoutZeroPointsOfOneGroup) {
  ConvShape s = ConvShape::matmul(1, 8, 2);
  const std::int8_t w[16] = {};
  const std::int32_t zeros[2] = {0, 0}, ones[2] = {0, 1};
  EXPECT_TRUE(SpConvWeights::takes(s, {w, false, {8, 1, 0, 0}, nullptr}));
  EXPECT_TRUE(SpConvWeights::takes(s, {w, false, {8, 1, 0, 0}, zeros}));
  EXPECT_FALSE(SpConvWeights::takes(s, {w, false, {8, 1, 0, 0}, ones}));
  EXPECT_FALSE(SpConvWeights::takes(s, {w, true, {8, 1, 0, 0}, nullptr}));
  EXPECT_FALSE(SpConvWeights::takes(ConvShape::matmul(1, 65536, 2), {w, false, {65536, 1, 0, 0}, nullptr}));
  s.groups = 2;
  EXPECT_FALSE(SpConvWeights::takes(s, {w, false, {8, 1, 0, 0}, nullptr}));
}

}  // namespace
}  // namespace pare::kernels
