#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace pare {
namespace {

using Block = std::array<std::uint32_t, 4>;

// The known answers published with Random123 (Salmon et al., kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32_10({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, KeysNameIndependentStreams) {
  std::set<std::uint64_t> first;
  int keys = 0;
  for (const std::uint64_t seed : {0ull, 1ull}) {
    for (const std::uint64_t stream : {1ull, 2ull}) {
      for (const std::uint64_t substream : {0ull, 1ull, 1ull << 32}) {
        for (const std::uint64_t item : {0ull, 1ull, 1ull << 32}) {
          Rng rng(seed, stream, substream, item);
          first.insert(std::uint64_t{rng.next()} << 32 | rng.next());
          ++keys;
        }
      }
    }
  }
  EXPECT_EQ(first.size(), static_cast<std::size_t>(keys));
}

TEST(Rng, SameKeySameDraws) {
  Rng a(7, kRngTest, 3, 9), b(7, kRngTest, 3, 9);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.next(), b.next());
}

TEST(Rng, BelowIsUniform) {
  Rng rng(1, kRngTest);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[rng.below(7)];
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 22.5);  // 0.1 % of 6 degrees of freedom
  EXPECT_EQ(Rng(0).below(1), 0u);
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  Rng rng(2, kRngTest);
  double mean = 0, square = 0, uniform = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double n = rng.normal(), u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    mean += n / kCount;
    square += n * n / kCount;
    uniform += u / kCount;
  }
  EXPECT_NEAR(mean, 0, 0.015);
  EXPECT_NEAR(square, 1, 0.02);
  EXPECT_NEAR(uniform, 0.5, 0.004);
}

TEST(Rng, PermutationHoldsEachNumberOnce) {
  Rng rng(3, kRngShuffle);
  const std::vector<std::int64_t> order = rng.permutation(1000);
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 1000u);
  EXPECT_EQ(*std::max_element(order.begin(), order.end()), 999);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_TRUE(rng.permutation(0).empty());
}

}  // namespace
}  // namespace pare
