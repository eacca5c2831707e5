// quantize max_drop: as few layers as needed go back to float, the worst first; checked by running what it claims.
#include <gtest/gtest.h>

#include "../fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// Labels of the float model's own answers, so that quantization can only lose.
PipelineResult quantized(const std::string& options, bool labelled = false) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(labelled);
  world.dataset.val = ImageSplit::make(1000, 200, labelled);
  return world.run("steps: [{quantize: {weights: {bits: 2, rounding: nearest}, bias_correction: false, protect: {macs: 0}, "
                   "activations: {calibrator: min-max}" +
                   options + "}}]");
}

double val_drop(const PipelineResult& result, const char* metric) {
  const json &before = result.run.at("before").at("val"), &after = result.run.at("after").at("val");
  return (std::string(metric) == "agreement" ? 100 : before.at(metric).get<double>()) - after.at(metric).get<double>();
}

const json& accuracy_of(const PipelineResult& result) { return result.run.at("steps").at(0).at("accuracy"); }

TEST(MaxDrop, FewestLayersThatKeepIt) {
  const double whole = val_drop(quantized(""), "agreement");
  ASSERT_GT(whole, 0) << "two bits must cost something here";
  const double allowed = whole / 2;
  const PipelineResult result = quantized(", max_drop: " + std::to_string(allowed));
  const json& accuracy = accuracy_of(result);
  EXPECT_TRUE(accuracy.at("met").get<bool>());
  EXPECT_TRUE(result.gate_passed);
  EXPECT_DOUBLE_EQ(accuracy.at("drop_of_all").get<double>(), whole);
  EXPECT_NEAR(accuracy.at("drop").get<double>(), val_drop(result, "agreement"), 1e-9) << "what is claimed is what is written";
  EXPECT_LE(accuracy.at("drop").get<double>(), allowed);
  const json& reverted = accuracy.at("reverted");
  ASSERT_GE(reverted.size(), 1u);
  std::string names;
  for (std::size_t i = 0; i + 1 < reverted.size(); ++i) {
    EXPECT_LE(reverted[i].at("snr_db").get<double>(), reverted[i + 1].at("snr_db").get<double>()) << "worst first";
    names += (names.empty() ? "" : ", ") + reverted[i].at("node").get<std::string>();
  }
  if (!names.empty()) {
    EXPECT_GT(val_drop(quantized(", exclude: [" + names + "]"), "agreement"), allowed) << "one less is not enough";
  }
  for (const json& layer : reverted) {
    const ir::Graph& graph = result.model.graph;
    const ir::Node& node = graph.node(graph.find_node(layer.at("node").get<std::string>()));
    EXPECT_TRUE(graph.constant(node.input(1))) << "its weight is a float constant";
  }
}

TEST(MaxDrop, NothingGoesBackWhereTheDropIsAllowed) {
  const PipelineResult free = quantized(""), result = quantized(", max_drop: 100");
  EXPECT_TRUE(accuracy_of(result).at("met").get<bool>());
  EXPECT_TRUE(accuracy_of(result).at("reverted").empty());
  EXPECT_EQ(result.run.at("after").at("val"), free.run.at("after").at("val"));
  EXPECT_FALSE(free.run.at("steps").at(0).contains("accuracy"));
}

TEST(MaxDrop, WritesTheBestWhereItCannotBeKept) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset = image_data(false);
  world.dataset.val = ImageSplit::make(1000, 200, false);
  const std::string head = "steps: [{quantize: {include: [stem, head], weights: {bits: 2, rounding: nearest}, "
                           "bias_correction: false, protect: {macs: 0}, max_drop: 0}}]";
  const PipelineResult result = world.run(head);
  const json& accuracy = accuracy_of(result);
  const bool met = accuracy.at("met").get<bool>();
  EXPECT_EQ(result.gate_passed, met);
  EXPECT_EQ(met, accuracy.at("drop").get<double>() <= 0);
  double best = 100;
  for (const json& tried : accuracy.at("tried")) best = std::min(best, tried.at("drop").get<double>());
  if (!met) {
    EXPECT_EQ(accuracy.at("drop").get<double>(), best);
  }
  EXPECT_LE(accuracy.at("reverted").size(), 1u) << "a layer stays on integers";
}

TEST(MaxDrop, CountsPointsOfTop1WithLabels) {
  const PipelineResult result = quantized(", max_drop: 1", true);
  const json& accuracy = accuracy_of(result);
  EXPECT_EQ(accuracy.at("metric"), "top1");
  EXPECT_NEAR(accuracy.at("drop").get<double>(), val_drop(result, "top1"), 1e-9);
}

TEST(MaxDrop, TheShorthandsGateIsTheMethodsLimit) {
  EXPECT_EQ(single_step("quantize", json::object(), 0.5).steps[0].options.at("max_drop"), 0.5);
  EXPECT_EQ(*single_step("quantize", json::object(), 0.5).max_drop, 0.5);
  EXPECT_TRUE(single_step("quantize", json::object()).steps[0].options.at("max_drop").is_null());
  EXPECT_FALSE(single_step("quantize", {{"method", "dynamic"}}, 0.5).steps[0].options.contains("max_drop"));
  EXPECT_EQ(error_of([] { single_step("quantize", json::object(), -1.0); }).code(), ErrorCode::kUsage);
}

TEST(MaxDrop, NeedsVal) {
  World world(::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.dataset.val = nullptr;
  const Error error = error_of([&] { world.run("steps: [{quantize: {max_drop: 1}}]"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_EQ(error.subject(), "quantize.max_drop");
}

}  // namespace
}  // namespace pare::compress
