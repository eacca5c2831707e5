// Integer convolution with zeros in blocks of four: every row against the dense reference, bit for bit.
#include "kernels/spconv_1x4/spconv_1x4.h"

#include <gtest/gtest.h>

#include "sparse_family.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

/// Zeros in blocks of four, anywhere, in all of some rows, or nowhere.
void thin_out(Random& random, QConvCase& c) {
  const ConvShape& s = c.shape;
  const FilterStrides& f = c.weights.strides;
  auto* w = const_cast<std::int8_t*>(static_cast<const std::int8_t*>(c.weights.data));
  const double keep = random.coin(0.1) ? 1.0 : random.real(0.02f, 0.5f);
  const std::int64_t block = random.coin(0.7) ? 4 : 1;
  for (std::int64_t o = 0; o < s.out_c; ++o) {
    const bool empty = random.coin(0.1);
    for (std::int64_t tap = 0; tap < s.taps(); ++tap)
      for (std::int64_t i = 0; i < s.in_c; i += block) {
        if (!empty && random.coin(keep)) continue;
        for (std::int64_t k = i; k < i + block; ++k) w[o * f.o + k * f.i + tap / s.kw * f.y + tap % s.kw * f.x] = 0;
      }
  }
}

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  c.shape = random.coin(0.3) ? ConvShape::matmul(random.integer(1, 150), 1, 1) : test::random_geometry(random);
  c.shape.groups = 1;
  c.shape.in_c = 4 * random.integer(1, random.coin() ? 10 : 120);
  c.shape.out_c = random.integer(1, random.coin(0.1) ? 300 : 40);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  thin_out(random, c);
  return c;
}

using Family = test::SparseFamily<SpConv1x4Weights, spconv_1x4_scratch_bytes, spconv_1x4, spconv_1x4_kernels,
                                  spconv_1x4_kernel_isa, spconv_1x4_kernel_name>;

TEST(SpConv1x4, EveryRowEqualsTheDenseReferenceBitForBit) { Family::expect_dense(random_case, 1000); }
TEST(SpConv1x4, WeightsAreViewedFromWhatWasWritten) { Family::expect_viewed(random_case); }

TEST(SpConv1x4, SkipsBlocksOfZeros) {
  const ConvShape s = ConvShape::matmul(5, 128, 32);
  std::vector<std::int8_t> w(128 * 32);
  for (std::int64_t o = 0; o < 32; ++o)
    for (std::int64_t i = 0; i < 128; ++i) w[o * 128 + i] = static_cast<std::int8_t>((i / 4 + o) % 8 == 0 ? 3 : 0);
  const auto packed = SpConv1x4Weights::pack(s, {w.data(), false, {128, 1, 0, 0}, nullptr}, DType::kUint8, 0, nullptr);
  EXPECT_DOUBLE_EQ(packed.density(), 1.0 / 8);
}

TEST(SpConv1x4, TakesSignedWeightsWithoutZeroPointsOfOneGroupAndWholeBlocks) {
  ConvShape s = ConvShape::matmul(1, 8, 2);
  const std::int8_t w[16] = {};
  const std::int32_t ones[2] = {0, 1};
  EXPECT_TRUE(SpConv1x4Weights::takes(s, {w, false, {8, 1, 0, 0}, nullptr}));
  EXPECT_FALSE(SpConv1x4Weights::takes(s, {w, false, {8, 1, 0, 0}, ones}));
  EXPECT_FALSE(SpConv1x4Weights::takes(s, {w, true, {8, 1, 0, 0}, nullptr}));
  s.in_c = 6;
  EXPECT_FALSE(SpConv1x4Weights::takes(s, {w, false, {6, 1, 0, 0}, nullptr}));
  s.in_c = 8, s.groups = 2;
  EXPECT_FALSE(SpConv1x4Weights::takes(s, {w, false, {8, 1, 0, 0}, nullptr}));
}

}  // namespace
}  // namespace pare::kernels
