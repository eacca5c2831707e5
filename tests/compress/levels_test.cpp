// Levels of codebooks, against their formulas and, for k-means, against trying every clustering.
#include "compress/quantize/levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare::compress {
namespace {

std::vector<float> levels_of(const char* name, std::vector<float> weights, int entries, bool with_zero = false,
                             const char* start = "linear") {
  Rng rng(3, kRngTest);
  return find_levels(name).choose(
      {.weights = weights, .entries = entries, .with_zero = with_zero, .start = start, .rng = rng});
}

std::vector<float> normal(std::size_t count) {
  Rng rng(5, kRngTest);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return values;
}

double error_of(const std::vector<float>& weights, const std::vector<float>& levels) {
  double sum = 0;
  for (float w : weights) {
    double least = std::numeric_limits<double>::infinity();
    for (float level : levels) least = std::min(least, std::pow(static_cast<double>(w) - static_cast<double>(level), 2));
    sum += least;
  }
  return sum;
}

/// The least squared error of `count` runs of the sorted weights, by dynamic programming (Wang & Song 2011).
double least_error(std::vector<float> weights, int count) {
  std::sort(weights.begin(), weights.end());
  const std::size_t n = weights.size();
  const auto run = [&](std::size_t a, std::size_t b) {
    double mean = 0, sum = 0;
    for (std::size_t i = a; i < b; ++i) mean += static_cast<double>(weights[i]) / static_cast<double>(b - a);
    for (std::size_t i = a; i < b; ++i) sum += std::pow(static_cast<double>(weights[i]) - mean, 2);
    return sum;
  };
  std::vector<double> best(n + 1, std::numeric_limits<double>::infinity());
  best[0] = 0;
  for (int k = 0; k < count; ++k) {
    std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
    for (std::size_t b = 1; b <= n; ++b)
      for (std::size_t a = 0; a < b; ++a) next[b] = std::min(next[b], best[a] + run(a, b));
    next[0] = 0;
    best = next;
  }
  return best[n];
}

TEST(Levels, KmeansFindsSeparateClusters) {
  std::vector<float> weights;
  for (const float center : {-3.0F, -1.0F, 0.5F, 4.0F})
    for (const float off : {-0.1F, 0.0F, 0.1F}) weights.push_back(center + off);
  for (const char* start : {"linear", "density", "random"}) {
    const std::vector<float> levels = levels_of("kmeans", weights, 4, false, start);
    ASSERT_EQ(levels.size(), 4u) << start;
    EXPECT_NEAR(error_of(weights, levels), least_error(weights, 4), 1e-6) << start;
  }
}

TEST(Levels, KmeansIsNearTheOptimumOfGaussianWeights) {
  const std::vector<float> weights = normal(120);
  const double least = least_error(weights, 8);
  for (const char* start : {"linear", "density", "random"}) {
    const double got = error_of(weights, levels_of("kmeans", weights, 8, false, start));
    EXPECT_GE(got, least * (1 - 1e-5));
    EXPECT_LE(got, 1.5 * least) << start;
  }
}

TEST(Levels, KmeansTakesTheBestStart) {
  std::vector<float> weights = normal(120);
  for (float& w : weights) w *= 0.01F;
  weights[7] = 3;  // an outlier leaves evenly spread levels empty
  const double best = error_of(weights, levels_of("kmeans", weights, 8, false, "auto"));
  EXPECT_LE(best, 1.5 * least_error(weights, 8));
  EXPECT_LT(best, error_of(weights, levels_of("kmeans", weights, 8, false, "linear")));
}

TEST(Levels, KmeansEndsWhereEachCenterIsTheMeanOfItsWeights) {
  const std::vector<float> weights = normal(500), levels = levels_of("kmeans", weights, 12, true);
  const LevelMap map(levels, false);
  std::vector<double> sums(levels.size()), counts(levels.size());
  for (float w : weights) sums[map(w)] += static_cast<double>(w), counts[map(w)] += 1;
  EXPECT_EQ(std::count(levels.begin(), levels.end(), 0.0F), 1) << "a level for the zeros";
  for (std::size_t k = 0; k < levels.size(); ++k)
    if (levels[k] != 0 && counts[k] > 0) {
      EXPECT_NEAR(static_cast<double>(levels[k]), sums[k] / counts[k], 1e-5);
    }
}

TEST(Levels, LogIsEvenInTheTransform) {
  const std::vector<float> weights = {-2, 0.5F, 1}, levels = levels_of("log", weights, 8);
  ASSERT_EQ(levels.size(), 7u);
  EXPECT_FLOAT_EQ(levels.front(), -2);
  EXPECT_FLOAT_EQ(levels.back(), 2);
  EXPECT_EQ(levels[3], 0);
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const auto y = [](float w) { return std::copysign(std::log1p(std::fabs(static_cast<double>(w))), static_cast<double>(w)); };
    EXPECT_NEAR(y(levels[i + 1]) - y(levels[i]), std::log(3.0) / 3, 1e-6);
  }
}

TEST(Levels, Log2RoundsTheExponent) {
  const std::vector<float> weights = {-3, 0.3F, 1}, levels = levels_of("log2", weights, 8);
  EXPECT_EQ(levels, (std::vector<float>{-4, -2, -1, 0, 1, 2, 4}));  // log2(3) = 1.58
  const LevelMap map(levels, true);
  EXPECT_EQ(levels[map(2.7F)], 2);   // below 2·√2
  EXPECT_EQ(levels[map(2.9F)], 4);
  EXPECT_EQ(levels[map(-1.5F)], -2);
  EXPECT_EQ(levels[map(0.6F)], 0);   // below 1/√2
  EXPECT_EQ(levels[map(0.8F)], 1);
}

TEST(Levels, PowersOfTwoAreThoseOfInq) {
  // s = 1.4: n1 = floor(log2(1.8667)) = 0; of 8 entries 3 are positive.
  const std::vector<float> levels = levels_of("power-of-two", {1.4F, -0.2F}, 8);
  EXPECT_EQ(levels, (std::vector<float>{-1, -0.5F, -0.25F, 0, 0.25F, 0.5F, 1}));
  EXPECT_EQ(levels_of("power-of-two", {1.6F}, 8).back(), 2);  // 4·1.6/3 = 2.13
  const LevelMap map(levels, false);
  EXPECT_EQ(levels[map(0.74F)], 0.5F);
  EXPECT_EQ(levels[map(0.76F)], 1);
}

TEST(Levels, EveryKindGivesAscendingLevelsForAnything) {
  for (const Levels* kind : level_kinds())
    for (const int entries : {2, 3, 16, 255, 256})
      for (const std::vector<float>& weights :
           {std::vector<float>{}, {0.0F}, {-1e-38F}, {5.0F, 5.0F, 5.0F}, {-1.0F, 1.0F}, normal(300)})
        for (const bool zero : {false, true}) {
          const std::vector<float> levels = levels_of(std::string(kind->name).c_str(), weights, entries, zero);
          ASSERT_GE(levels.size(), 1u);
          EXPECT_LE(levels.size(), static_cast<std::size_t>(entries)) << kind->name;
          EXPECT_TRUE(std::is_sorted(levels.begin(), levels.end())) << kind->name;
          EXPECT_EQ(std::adjacent_find(levels.begin(), levels.end()), levels.end()) << kind->name;
          for (float level : levels) EXPECT_TRUE(std::isfinite(level));
          if (zero) {
            EXPECT_NE(std::find(levels.begin(), levels.end(), 0.0F), levels.end()) << kind->name;
          }
        }
}

/// XNOR-Net's scale is the mean; TWN's threshold is 0.7 of it, and its scale the mean of what lies beyond.
TEST(Levels, BinaryAndTernaryFollowTheirPapers) {
  const std::vector<float> weights = {1, -2, 0.1F, -0.3F};
  EXPECT_EQ(levels_of("binary", weights, 16), (std::vector<float>{-0.85F, 0.85F}));
  EXPECT_EQ(levels_of("binary", weights, 16, true), (std::vector<float>{-0.85F, 0, 0.85F}));
  EXPECT_EQ(levels_of("ternary", weights, 16), (std::vector<float>{-1.5F, 0, 1.5F}));
  EXPECT_EQ(levels_of("ternary", {}, 16), std::vector<float>{0});
}

/// Not the nearest level: 0.7·mean|w| is not half of the scale.
TEST(Levels, TernaryWeightsGoByTheThreshold) {
  std::vector<float> weights = normal(500);
  double mean = 0;
  for (float w : weights) mean += std::fabs(static_cast<double>(w)) / 500;
  weights.push_back(static_cast<float>(0.7 * mean));
  const Levels& kind = find_levels("ternary");
  const std::vector<float> levels = levels_of("ternary", weights, 16);
  const LevelMap map(levels, kind, weights);
  mean = 0;
  for (float w : weights) mean += std::fabs(static_cast<double>(w)) / 501;
  int beyond_nearest = 0;
  for (float w : weights) {
    const double expected = std::fabs(static_cast<double>(w)) > 0.7 * mean ? std::copysign(1.0, w) : 0.0;
    EXPECT_EQ(static_cast<double>(map(w)) - 1, expected) << w;
    beyond_nearest += LevelMap(levels, false)(w) != map(w);
  }
  EXPECT_GT(beyond_nearest, 0);
}

TEST(Levels, BinaryWeightsKeepTheirSigns) {
  const std::vector<float> weights = normal(100);
  for (const bool with_zero : {false, true}) {
    const std::vector<float> levels = levels_of("binary", weights, 16, with_zero);
    const LevelMap map(levels, find_levels("binary"), weights);
    for (float w : weights) EXPECT_EQ(levels[map(w)] > 0, w > 0) << w;
    if (with_zero) {
      EXPECT_EQ(levels[map(0)], 0);
    }
  }
}

}  // namespace
}  // namespace pare::compress
