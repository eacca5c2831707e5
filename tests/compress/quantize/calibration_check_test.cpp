// quantize calibration_check: against calibrating by hand on the same samples.
#include <gtest/gtest.h>

#include "../fakes.h"
#include "base/rng.h"

namespace pare::compress {
namespace {

using nlohmann::json;

json checked(World& world, const std::string& options, const std::string& more = "") {
  return world
      .run("steps: [{quantize: {activations: {calibrator: min-max}, protect: {macs: 0}, bias_correction: false" + more +
           ", calibration_check: " + options + "}}]")
      .run.at("steps")
      .at(0)
      .at("calibration_check");
}

TEST(CalibrationCheck, RangesAreThoseOfTheDrawnSamples) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const json check = checked(world, "{subsets: 4, share: 0.25}");
  EXPECT_EQ(check.at("subsets"), 4);
  EXPECT_EQ(check.at("samples"), 10);
  double low[2] = {1e9, -1e9}, high[2] = {1e9, -1e9};
  for (std::uint64_t subset = 1; subset <= 4; ++subset) {
    std::vector<std::int64_t> drawn = Rng(world.seed, kRngCalibration, subset).permutation(40);
    drawn.resize(10);
    const Tensor images = world.dataset.train->batch(drawn).inputs.at("image");
    const auto [least, most] = std::minmax_element(images.data<float>().begin(), images.data<float>().end());
    const double scale = (static_cast<double>(*most) - static_cast<double>(*least)) / 255;
    const double zero = std::nearbyint(-static_cast<double>(*least) / scale);
    low[0] = std::min(low[0], -zero * scale), low[1] = std::max(low[1], -zero * scale);
    high[0] = std::min(high[0], (255 - zero) * scale), high[1] = std::max(high[1], (255 - zero) * scale);
  }
  const json& values = check.at("values");
  const auto image = std::find_if(values.begin(), values.end(), [](const json& v) { return v.at("value") == "image"; });
  ASSERT_NE(image, values.end());
  for (std::size_t i : {0u, 1u}) {
    EXPECT_NEAR(image->at("low").at(i).get<double>(), low[i], 1e-4);
    EXPECT_NEAR(image->at("high").at(i).get<double>(), high[i], 1e-4);
  }
  EXPECT_NEAR(image->at("spread").get<double>(), std::max(low[1] - low[0], high[1] - high[0]) / (high[1] - low[0]), 1e-4);
  for (std::size_t i = 0; i + 1 < values.size(); ++i)
    EXPECT_GE(values[i].at("spread").get<double>(), values[i + 1].at("spread").get<double>());
}

TEST(CalibrationCheck, SpreadShrinksWithTheShareAndTheModelStaysTheSame) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const auto worst = [&](const char* options) { return checked(world, options).at("values").at(0).at("spread").get<double>(); };
  EXPECT_GT(worst("{share: 0.1}"), worst("{share: 0.95}"));
  const json check = checked(world, "true");
  EXPECT_EQ(check.at("subsets"), 5);
  for (const char* key : {"snr_db", "metric"}) {
    const json& spread = check.at(key);
    EXPECT_EQ(spread.at("all").size(), 5u);
    EXPECT_LE(spread.at("least").get<double>(), spread.at("mean").get<double>());
    EXPECT_LE(spread.at("mean").get<double>(), spread.at("most").get<double>());
    EXPECT_GE(spread.at("deviation").get<double>(), 0);
  }
  World other(std::string("other_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::string step = "steps: [{quantize: {activations: {calibrator: min-max}, calibration_check: ";
  const auto scale = [&](const char* check_option) {
    const PipelineResult result = other.run(step + check_option + "}}]");
    return result.model.graph.constant(result.model.graph.find_value("image_scale"))->clone();
  };
  EXPECT_TRUE(scale("true").identical(scale("null")));
}

TEST(CalibrationCheck, RefusesTooFewSamples) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  const Error error = error_of([&] {
    world.run("steps: [{quantize: {activations: {samples: 3}, calibration_check: {share: 0.2}}}]");
  });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_EQ(error.subject(), "quantize.calibration_check");
}

}  // namespace
}  // namespace pare::compress
