// Integer convolution of few input channels by lines: every row against the dense reference, bit for bit.
#include "kernels/qlines/qlines.h"

#include <gtest/gtest.h>

#include "sparse_family.h"

namespace pare::kernels {
namespace {

using test::QConvCase;
using test::Random;

QConvCase random_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  do {
    c.shape = test::random_geometry(random, random.coin(0.2) ? 9 : 4);
    c.shape.dilation_w = 1;
    c.shape.out_w =
        test::output_size(c.shape.in_w, c.shape.pad_left + random.integer(0, 2), c.shape.kw, 1, c.shape.stride_w);
  } while (c.shape.kw < 2);
  c.shape.groups = 1;
  c.shape.in_c = random.integer(1, 4);
  c.shape.out_c = random.integer(1, random.coin() ? 40 : 150);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  return c;
}

using Family = test::SparseFamily<QLinesWeights, qlines_scratch_bytes, qlines, qlines_kernels, qlines_kernel_isa,
                                  qlines_kernel_name>;

TEST(QLines, EveryRowEqualsTheDenseReferenceBitForBit) { Family::expect_dense(random_case, 1500); }
TEST(QLines, WeightsAreViewedFromWhatWasWritten) { Family::expect_viewed(random_case); }

/// The first layer of a ResNet.
QConvCase stem_case(std::uint64_t seed) {
  Random random(seed);
  QConvCase c;
  ConvShape& s = c.shape;
  s.batch = 2, s.in_c = 3, s.out_c = 64;
  s.in_h = random.integer(30, 40), s.in_w = random.integer(30, 70);
  s.kh = s.kw = 7, s.stride_h = s.stride_w = 2, s.pad_top = s.pad_left = 3;
  s.out_h = test::output_size(s.in_h, 6, 7, 1, 2), s.out_w = test::output_size(s.in_w, 6, 7, 1, 2);
  test::fill_case(random, c);
  c.weights.is_unsigned = false;
  c.weights.zero_point = nullptr;
  return c;
}
TEST(QLines, StemsEqualTheDenseReferenceBitForBit) { Family::expect_dense(stem_case, 20); }

TEST(QLines, TakesFewChannelsInWindows) {
  ConvShape s;
  s.in_c = 3, s.out_c = 8, s.kh = s.kw = 3;
  const std::int8_t w[8 * 27] = {};
  const std::int32_t ones[8] = {1};
  const QConvFilter filter{w, false, FilterStrides::oihw(s), nullptr};
  EXPECT_TRUE(QLinesWeights::takes(s, filter));
  EXPECT_FALSE(QLinesWeights::takes(s, {w, true, filter.strides, nullptr}));
  EXPECT_FALSE(QLinesWeights::takes(s, {w, false, filter.strides, ones}));
  for (const auto& change : {+[](ConvShape& c) { c.in_c = 5; }, +[](ConvShape& c) { c.dilation_w = 2; },
                             +[](ConvShape& c) { c.kw = 1; }, +[](ConvShape& c) { c.groups = 2; }}) {
    ConvShape other = s;
    change(other);
    EXPECT_FALSE(QLinesWeights::takes(other, filter));
  }
}

}  // namespace
}  // namespace pare::kernels
