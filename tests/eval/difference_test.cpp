#include "eval/difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::eval {
namespace {

Tensor floats(const std::vector<float>& values) {
  return Tensor::from({static_cast<std::int64_t>(values.size())}, values);
}

TEST(Difference, FollowsItsFormulasOverSeveralPairs) {
  Difference difference;
  difference.add(floats({3, -4}), floats({3, -3}));
  difference.add(floats({0, 2}), floats({0.5f, 2}));
  EXPECT_NEAR(*difference.snr_db(), 10 * std::log10((9 + 16 + 4) / (1 + 0.25)), 1e-9);
  EXPECT_EQ(difference.max_error(), 1);
  EXPECT_NEAR(difference.mean_error(), 1.5 / 4, 1e-12);
  EXPECT_NEAR(*difference.cosine(), (9 + 12 + 4) / std::sqrt(29 * (9 + 9 + 0.25 + 4)), 1e-9);
  EXPECT_EQ(difference.min_a(), -4);
  EXPECT_EQ(difference.max_a(), 3);
  EXPECT_EQ(difference.min_b(), -3);
  EXPECT_EQ(difference.elements(), 4);
  EXPECT_FALSE(difference.identical());
}

TEST(Difference, IdenticalHasNoSnrAndZeroSignalHasNone) {
  Difference same;
  same.add(floats({1, 2}), floats({1, 2}));
  EXPECT_TRUE(same.identical());
  EXPECT_EQ(same.snr_db(), std::nullopt);
  EXPECT_NEAR(*same.cosine(), 1, 1e-12);
  Difference from_nothing;
  from_nothing.add(floats({0, 0}), floats({0, 1}));
  EXPECT_EQ(*from_nothing.snr_db(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(from_nothing.cosine(), std::nullopt);
}

TEST(Difference, NonFiniteElementsCountOnlyWhereTheyDiffer) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  Difference same;
  same.add(floats({-inf, nan, 1}), floats({-inf, nan, 1}));
  EXPECT_TRUE(same.identical());
  Difference other;
  other.add(floats({-inf, 1, 2}), floats({-3, nan, 2}));
  EXPECT_EQ(other.mismatched(), 2);
  EXPECT_FALSE(other.identical());
  EXPECT_EQ(other.min_b(), 2) << "elements without a counterpart are left out of the figures";
}

TEST(Difference, ComparesAcrossFloatTypesAndRefusesOtherSizes) {
  Difference difference;
  difference.add(floats({1, 2}), cast(floats({1, 2}), DType::kFloat16));
  EXPECT_TRUE(difference.identical());
  EXPECT_THROW(difference.add(floats({1, 2}), floats({1})), Error);
}

}  // namespace
}  // namespace pare::eval
