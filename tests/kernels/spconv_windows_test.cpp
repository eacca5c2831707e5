// Windows of sparse weights: what slots may pick from.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kernels/spconv/tile.h"
#include "kernels/spconv/windows.h"
#include "random.h"

namespace pare::kernels {
namespace {

using test::Random;

struct Weights {
  ConvShape shape;
  std::vector<std::int8_t> values;  ///< [out_c, taps, in_c]
  QConvFilter filter() const {
    return {values.data(), false, {shape.taps() * shape.in_c, 1, shape.kw * shape.in_c, shape.in_c}, nullptr};
  }
};

/// keep(channel, tap, input)
template <class Keep>
Weights weights_of(std::int64_t in_c, std::int64_t out_c, std::int64_t kernel, Keep keep) {
  Weights w;
  w.shape.in_c = in_c, w.shape.out_c = out_c, w.shape.kh = w.shape.kw = kernel;
  for (std::int64_t o = 0; o < out_c; ++o)
    for (std::int64_t tap = 0; tap < w.shape.taps(); ++tap)
      for (std::int64_t i = 0; i < in_c; ++i)
        w.values.push_back(static_cast<std::int8_t>(keep(o, tap, i) ? (o + 3 * tap + 7 * i) % 120 + 1 : 0));
  return w;
}

Weights random_weights(std::int64_t in_c, std::int64_t out_c, std::int64_t kernel, double kept) {
  return weights_of(in_c, out_c, kernel, [random = Random(7), kept](std::int64_t, std::int64_t, std::int64_t) mutable {
    return random.coin(kept);
  });
}

std::vector<std::int64_t> first_block(const ConvShape& s) {
  std::vector<std::int64_t> channels(static_cast<std::size_t>(std::min<std::int64_t>(s.out_c, kSpConvChannels)));
  std::iota(channels.begin(), channels.end(), 0);
  return channels;
}

TEST(SpConvWindows, TakeEveryWeightOnceAndLieWithinTheLine) {
  for (const std::int64_t in_c : {5, 40, 64, 100, 256})
    for (const std::int64_t kernel : {1, 3})
      for (const SpConvPlan plan : {SpConvPlan{false, 0}, {true, 0}, {true, 1}, {true, 2}, {true, 4}}) {
        const Weights w = random_weights(in_c, 20, kernel, 0.2);
        const SpSurvivors survivors(w.shape, w.filter(), 0, w.shape.out_c);
        const std::vector<std::int64_t> channels = first_block(w.shape);
        for (std::int64_t line = 0; line < survivors.lines(); ++line) {
          std::vector<std::vector<SpSurvivor>> taken(channels.size());
          for (SpWindows windows(survivors, channels, line, plan); windows.next();) {
            ASSERT_GE(windows.start(), 0);
            ASSERT_LE(windows.start(), std::max<std::int64_t>(survivors.length() - kSpConvWindow, 0));
            ASSERT_GT(windows.slots(), 0);
            if (plan.each > 0) ASSERT_EQ(windows.slots(), plan.each);
            for (std::size_t c = 0; c < channels.size(); ++c) {
              ASSERT_LE(windows.taken(c).size(), 4 * static_cast<std::size_t>(windows.slots()));
              for (const SpSurvivor& survivor : windows.taken(c)) {
                ASSERT_GE(survivor.at, windows.start());
                ASSERT_LT(survivor.at, windows.start() + kSpConvWindow);
                taken[c].push_back(survivor);
              }
            }
          }
          for (std::size_t c = 0; c < channels.size(); ++c) {
            const auto want = survivors.of(channels[c], line);
            ASSERT_EQ(taken[c].size(), want.size());
            for (std::size_t i = 0; i < want.size(); ++i) {
              EXPECT_EQ(taken[c][i].at, want[i].at);
              EXPECT_EQ(taken[c][i].weight, want[i].weight);
            }
          }
        }
      }
}

TEST(SpConvWindows, TapsSideBySideAreOneLineUnlessDilated) {
  Weights w = random_weights(10, 3, 3, 0.5);
  const SpSurvivors joined(w.shape, w.filter(), 0, 3);
  EXPECT_EQ(joined.lines(), 3);
  EXPECT_EQ(joined.length(), 30);
  w.shape.dilation_w = 2;
  const SpSurvivors apart(w.shape, w.filter(), 1, 3);
  EXPECT_EQ(apart.lines(), 9);
  EXPECT_EQ(apart.length(), 10);
  std::vector<std::int32_t> at;  // of channel 1, line 1 of those joined
  for (int tap = 3; tap < 6; ++tap)
    for (const SpSurvivor& survivor : apart.of(1, tap)) at.push_back(10 * (tap - 3) + survivor.at);
  ASSERT_EQ(at.size(), joined.of(1, 1).size());
  for (std::size_t i = 0; i < at.size(); ++i) EXPECT_EQ(joined.of(1, 1)[i].at, at[i]);
}

TEST(SpConvWindows, BalancedWeightsKeepTheirGroups) {
  for (const int q : {4, 8, 12, 32})
    for (const std::int64_t kernel : {1, 3}) {
      const Weights w = weights_of(256, 64, kernel, [q](std::int64_t o, std::int64_t tap, std::int64_t i) {
        return (i * 37 + o * 11 + tap * 5) % 64 < q;
      });
      const SpConvPlan plan = plan_spconv(w.shape, w.filter());
      EXPECT_FALSE(plan.sliding);
      EXPECT_FALSE(plan.ordered);
      const double slots = static_cast<double>(w.shape.taps() * 256 / 64 * 64 / 16 * q / 4);
      EXPECT_GE(plan.slots, slots);
      EXPECT_LE(plan.slots, 1.15 * slots);
    }
}

TEST(SpConvWindows, ZerosAnywhereSlideAndNeedFewerSlots) {
  const Weights w = random_weights(1024, 64, 1, 0.1);
  const SpSurvivors survivors(w.shape, w.filter(), 0, 64);
  const auto slots = [&](const SpConvPlan& plan) {
    int count = 0;
    for (SpWindows windows(survivors, first_block(w.shape), 0, plan); windows.next();) count += windows.slots();
    return count;
  };
  const SpConvPlan plan = plan_spconv(w.shape, w.filter());
  EXPECT_TRUE(plan.sliding);
  EXPECT_EQ(plan.each, 2);
  EXPECT_LT(slots(plan), 0.86 * slots({false, 0}));
}

TEST(SpConvWindows, RowsAreGroupedWhereTheyAreUnequallyFull) {
  const Weights w = weights_of(512, 100, 1, [random = Random(3)](std::int64_t o, std::int64_t, std::int64_t) mutable {
    return random.coin(o % 4 == 0 ? 0.5 : 0.02);
  });
  const SpConvPlan plan = plan_spconv(w.shape, w.filter());
  EXPECT_TRUE(plan.ordered);
  const SpSurvivors survivors(w.shape, w.filter(), 64, 100);
  const std::vector<std::uint8_t> order = spconv_order(w.shape, survivors, 1);
  ASSERT_EQ(order.size(), 36u);
  std::vector<bool> seen(36);
  for (std::size_t i = 0; i < order.size(); ++i) {
    seen[order[i]] = true;
    if (i > 0) EXPECT_LE(survivors.count(64 + order[i]), survivors.count(64 + order[i - 1]));
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 36);
  EXPECT_FALSE(plan_spconv(w.shape, random_weights(512, 100, 1, 0.1).filter()).ordered);
}

}  // namespace
}  // namespace pare::kernels
