#include "compress/prune/reestimate.h"

#include <gtest/gtest.h>

#include "../fakes.h"

namespace pare::compress {
namespace {

std::string here() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

/// Mean and variance of a channel of a value over all training images.
std::pair<double, double> moments(const ir::Model& model, const data::Dataset& data, const std::string& value,
                                  std::int64_t channel) {
  ir::Model all = model;
  all.graph.outputs = {all.graph.find_value(value)};
  std::vector<std::int64_t> indices(40);
  std::iota(indices.begin(), indices.end(), 0);
  const Tensor out = ir::evaluate(all, data.train->batch(indices).inputs).at(value);
  const std::int64_t channels = out.dim(1), inner = out.rank() == 4 ? out.dim(2) * out.dim(3) : 1;
  double sum = 0, squares = 0, count = 0;
  for (std::int64_t n = 0; n < out.dim(0); ++n)
    for (std::int64_t p = 0; p < inner; ++p) {
      const double x = static_cast<double>(out.data<float>()[static_cast<std::size_t>((n * channels + channel) * inner + p)]);
      sum += x;
      squares += x * x;
      ++count;
    }
  return {sum / count, squares / count - sum / count * sum / count};
}

TEST(Reestimate, MeanAndVarianceAreTheOriginalsAgain) {
  for (const std::string match : {"mean", "variance"}) {
    World world(here() + match);
    const PipelineResult result = world.run(
        "steps: [{prune: {method: magnitude, sparsity: 0.7, reestimate: {match: " + match + ", samples: 0}}}]");
    for (const char* value : {"stem_out", "body_out", "tail_out", "head_out"})
      for (std::int64_t channel = 0; channel < 4; ++channel) {
        const auto was = moments(world.model, world.dataset, value, channel),
                   is = moments(result.model, world.dataset, value, channel);
        EXPECT_NEAR(is.first, was.first, 1e-4) << value << channel << match;
        if (match != "variance") continue;
        EXPECT_NEAR(is.second, was.second, 1e-3 * was.second) << value << channel;
      }
    EXPECT_NEAR(result.run["steps"][0]["pruned"]["sparsity"].get<double>(), 0.7, 0.01) << "zeros stay";
    EXPECT_EQ(result.run["steps"][0]["reestimation"]["layers"].size(), 4U);
  }
}

TEST(Reestimate, IsRefusedWithASchedule) {
  World world(here());
  EXPECT_EQ(error_of([&] {
              world.run("steps: [{prune: {method: magnitude, epochs: 1, reestimate: {match: mean}}}]");
            }).code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
