#include "eval/histogram.h"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "base/rng.h"

namespace pare::eval {
namespace {

TEST(Histogram, CoarseStepsCountWhatFallsIntoThem) {
  Rng rng(1, kRngTest);
  std::vector<float> values(20000);
  for (float& x : values) x = static_cast<float>(rng.normal());
  Histogram histogram;
  ASSERT_TRUE(histogram.add(values, true));
  const std::vector<std::int64_t> counts = histogram.coarse(-2, 2, 8);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), 20000);
  for (int step = 0; step < 8; ++step) {
    const double low = step == 0 ? -1e9 : -2 + 0.5 * step, high = step == 7 ? 1e9 : -1.5 + 0.5 * step;
    const auto exact = std::count_if(values.begin(), values.end(), [&](float x) { return x >= low && x < high; });
    EXPECT_NEAR(static_cast<double>(counts[static_cast<std::size_t>(step)]), static_cast<double>(exact), 40) << step;
  }
}

TEST(Histogram, CountsOfAConstantLieInOneStep) {
  Histogram histogram;
  histogram.add(std::vector<float>(5, 3.0F), true);
  EXPECT_EQ(histogram.coarse(3, 3, 4), (std::vector<std::int64_t>{5, 0, 0, 0}));
  EXPECT_EQ(histogram.coarse(0, 3, 3), (std::vector<std::int64_t>{0, 0, 5}));
}

TEST(Histogram, ManyValuesAreCountedAsOneByOne) {
  Rng rng(2, kRngTest);
  std::vector<float> values(300001);
  for (float& x : values) x = static_cast<float>(rng.normal() * 3);
  values[7] = 0;
  values[8] = -0.0F;
  values[300000] = 31.99F;
  Histogram whole, single;
  ASSERT_TRUE(whole.add(values, true));
  single.add(std::vector<float>{31.99F}, true);  // the same width from the first
  for (std::size_t i = 0; i + 1 < values.size(); ++i) single.add({&values[i], 1}, true);
  EXPECT_EQ(whole.bin_width(), single.bin_width());
  EXPECT_TRUE(std::equal(whole.bins().begin(), whole.bins().end(), single.bins().begin()));
  EXPECT_EQ(whole.min(), single.min());
  EXPECT_EQ(whole.count(), single.count());
}

TEST(Histogram, AValueThatIsNotFiniteAddsNothing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (const std::size_t at : {0U, 63U, 64U, 99999U}) {
      std::vector<float> values(100000, 1.0F);
      values[at] = bad;
      Histogram histogram;
      EXPECT_FALSE(histogram.add(values, true));
      EXPECT_EQ(histogram.count(), 0);
    }
}

}  // namespace
}  // namespace pare::eval
