#include "compress/layerwise/rows.h"

#include <gtest/gtest.h>

#include "compress/fakes.h"
#include "compress/layerwise/hessian.h"

namespace pare::compress {
namespace {

struct Rows {
  World world{std::string("rows_") + ::testing::UnitTest::GetInstance()->current_test_info()->name()};
  nlohmann::json options, record;
  StepContext context{options,        world.model,   world.dataset, world.backend, world.trainer,
                      {.threads = 1}, world.control, nullptr,       record};
  std::vector<Layer> layers = find_layers(world.model.graph);
};

TEST(SampledRows, AreWhatTheHessiansAddUp) {
  Rows setting;
  // 64 pixels a sample at most, 8 samples a batch: all positions.
  const auto rows = sample_rows(setting.world.model, setting.layers, 24, 3 * 8 * 64, setting.context);
  std::size_t seen = 0;
  visit_hessians(setting.world.model, setting.layers, 24, setting.context,
                 [&](const Layer& layer, std::span<const double> hessian, std::int64_t groups) {
                   const LayerRows& own = rows.at(layer.node);
                   const auto n = static_cast<std::size_t>(own.columns);
                   ASSERT_EQ(own.groups, groups);
                   ASSERT_EQ(own.x[0].size(), static_cast<std::size_t>(own.rows) * n);
                   for (std::size_t i = 0; i < n; ++i)
                     for (std::size_t j = 0; j < n; ++j) {
                       double sum = 0;
                       for (std::size_t r = 0; r < static_cast<std::size_t>(own.rows); ++r)
                         sum += static_cast<double>(own.x[0][r * n + i]) * static_cast<double>(own.x[0][r * n + j]);
                       EXPECT_NEAR(sum, hessian[i * n + j], 1e-4 * (1 + std::fabs(sum))) << layer.name;
                     }
                   ++seen;
                 });
  EXPECT_EQ(seen, 4u);
}

TEST(SampledRows, AreFewWhereFewAreAskedForAndTheSameForTheSameSeed) {
  Rows setting;
  const auto some = sample_rows(setting.world.model, setting.layers, 40, 50, setting.context);
  const auto again = sample_rows(setting.world.model, setting.layers, 40, 50, setting.context);
  for (const auto& [node, rows] : some) {
    EXPECT_EQ(rows.rows, 5 * std::min<std::int64_t>(10, rows.rows / 5));
    EXPECT_LE(rows.rows, 50);
    EXPECT_EQ(rows.x, again.at(node).x);
  }
}

}  // namespace
}  // namespace pare::compress
