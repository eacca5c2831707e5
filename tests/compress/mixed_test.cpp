// Bits by layer: within the budget, more where the output asks for them, and better than the same bits everywhere.
#include <gtest/gtest.h>

#include "base/float16.h"
#include "fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

struct Outcome {
  json mixed;
  double noise = 0;
  ir::Model model;
};

Outcome outcome_of(const std::string& options) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  const PipelineResult result =
      world.run("steps: [{quantize: {" + options + ", bias_correction: false, protect: {macs: 0}}}]");
  Outcome outcome;
  outcome.model = result.model;
  const json& choice = result.run.at("steps").at(0).at("quantized").at("choice");
  if (choice.contains("mixed")) outcome.mixed = choice.at("mixed");
  std::vector<std::int64_t> all(static_cast<std::size_t>(world.dataset.test->size()));
  std::iota(all.begin(), all.end(), 0);
  const NamedTensors inputs = world.dataset.test->batch(all).inputs;
  const Tensor a = ir::evaluate(world.model, inputs).begin()->second,
               b = ir::evaluate(result.model, inputs).begin()->second;
  for (std::size_t i = 0; i < a.data<float>().size(); ++i)
    outcome.noise += std::pow(static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]), 2);
  return outcome;
}

TEST(MixedPrecision, StaysWithinTheAverageAndBeatsTheSameBitsEverywhere) {
  const Outcome mixed = outcome_of("mixed: {average: 3}, weights: {rounding: nearest}");
  EXPECT_LE(mixed.mixed.at("average").get<double>(), 3 + 1e-9);
  EXPECT_GT(mixed.mixed.at("average").get<double>(), 2);
  EXPECT_LT(mixed.noise, outcome_of("weights: {bits: 3, rounding: nearest}").noise);
  for (const json& layer : mixed.mixed.at("layers"))
    EXPECT_LT(layer.at("snr_db").at("2").get<double>(), layer.at("snr_db").at("8").get<double>()) << layer;
}

TEST(MixedPrecision, WithAllTheBudgetItIsEightBitsEverywhere) {
  const Outcome mixed = outcome_of("mixed: {average: 8, by: operations}");
  for (const json& layer : mixed.mixed.at("layers")) EXPECT_EQ(layer.at("bits"), 8) << layer;
}

TEST(MixedPrecision, StoresTheBitsThatItTells) {
  const Outcome mixed = outcome_of("mixed: {average: 4, choices: [2, 4, 8]}");
  for (const json& layer : mixed.mixed.at("layers")) {
    const auto bits = layer.at("bits").get<int>();
    const std::string name = layer.at("node").get<std::string>() + ".weight_quantized";
    const ir::ValueId id = mixed.model.graph.find_value(name);
    ASSERT_NE(id, ir::kNoValue) << name;
    const Tensor& stored = *mixed.model.graph.constant(id);
    EXPECT_EQ(stored.dtype(), bits == 4 ? DType::kInt4 : DType::kInt8) << name;
    for (std::int64_t i = 0; i < stored.numel(); ++i)
      EXPECT_LE(std::fabs(element_as_double(stored, i)), (1 << (bits - 1)) - 1) << name;
  }
}

TEST(MixedPrecision, RefusesContradictions) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  for (const char* mixed : {"{average: 3, choices: [4, 8]}", "{average: 4, choices: [2.5, 8]}", "{average: 9}",
                            "{average: 4, choices: [1, 8]}"})
    EXPECT_EQ(error_of([&] { world.run("steps: [{quantize: {mixed: " + std::string(mixed) + "}}]"); }).code(),
              ErrorCode::kUsage)
        << mixed;
}

}  // namespace
}  // namespace pare::compress
