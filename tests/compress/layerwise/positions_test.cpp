#include "compress/layerwise/positions.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pare::compress {
namespace {

TEST(Positions, AllCountWhereThereAreFew) {
  EXPECT_EQ(positions_share(1000, 64), 1.0);
  EXPECT_EQ(positions_share(0, 64), 1.0);
  EXPECT_EQ(positions_share(32768 * 4, 64), 0.25);
  EXPECT_EQ(positions_share(32 * 4608 * 2, 4608), 0.5);
  EvenPart part;
  EXPECT_EQ(part.of(50, 1.0).size(), 50u);
}

/// Also where the share is a divisor of the map's size, so that regular steps would see the same positions of every
/// sample.
TEST(Positions, SpreadEvenlyOverSamplesAndMaps) {
  for (const std::int64_t map : {49, 196, 784}) {
    for (const double share : {1.0 / 7, 0.04, 0.5}) {
      constexpr int kSamples = 700;
      EvenPart part;
      std::vector<int> seen(static_cast<std::size_t>(map));
      double total = 0;
      for (int sample = 0; sample < kSamples; ++sample) {
        const std::vector<std::int64_t> picked = part.of(map, share);
        EXPECT_TRUE(std::is_sorted(picked.begin(), picked.end()));
        EXPECT_NEAR(static_cast<double>(picked.size()), share * static_cast<double>(map), 3.0);
        total += static_cast<double>(picked.size());
        for (const std::int64_t at : picked) ++seen[static_cast<std::size_t>(at)];
      }
      EXPECT_NEAR(total, share * static_cast<double>(map) * kSamples, 4.0);
      const double wanted = share * kSamples;
      for (const int times : seen) EXPECT_NEAR(times, wanted, 0.35 * wanted + 3) << map << " " << share;
    }
  }
}

}  // namespace
}  // namespace pare::compress
