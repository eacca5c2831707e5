// Learned masks: the student that is trained, what is written of it, and the three methods around it. The papers'
// gradients are in tests/train/learned_mask_test.cpp.
#include "compress/prune/learned.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "ir/learned_masks.h"

namespace pare::compress {
namespace {

std::string here() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

NamedTensors images() { return {{"image", image_data().test->batch({0, 1, 2, 3}, 0, 0).inputs.at("image")}}; }

const Tensor& weight_of(const ir::Model& model, const std::string& name) {
  return *model.graph.constant(model.graph.find_value(name));
}

double zeros_of(const ir::Model& model, const std::string& name) { return ir::sparsity(weight_of(model, name)); }

void expect_same_outputs(const ir::Model& a, const ir::Model& b) {
  const Tensor x = ir::evaluate(a, images()).begin()->second, y = ir::evaluate(b, images()).begin()->second;
  ASSERT_EQ(x.numel(), y.numel());
  for (std::size_t i = 0; i < x.data<float>().size(); ++i) EXPECT_NEAR(x.data<float>()[i], y.data<float>()[i], 1e-6);
}

PruneTarget target_of(const ir::Model& model, const std::string& layer) {
  for (const Layer& found : find_layers(model.graph))
    if (found.name == layer) return {found.weight_name, weight_of(model, found.weight_name), found.weight.view};
  return {};
}

TEST(MaskStudent, WhatIsWrittenComputesWhatWasTrained) {
  const ir::Model model = residual_model();
  const std::vector<PruneTarget> targets = {target_of(model, "body"), target_of(model, "tail")};
  MaskStudent student(model, targets, [](const PruneTarget&) {
    return MaskNode{"SoftThreshold", {{"s", Tensor::from<float>({1}, {-1})}}};
  });
  EXPECT_EQ(student.latent(1, 0), "tail.weight_s");
  // As training would: other values behind the same ids.
  ir::Graph& graph = student.model.graph;
  graph.set_constant(graph.find_value("body.weight"), random_tensor({8, 8, 3, 3}, 77));
  graph.set_constant(graph.find_value("head.bias"), random_tensor({4}, 78));
  graph.set_constant(graph.find_value("tail.weight_s"), Tensor::from<float>({1}, {-2}));
  const ir::Model masked = student.masked();
  EXPECT_EQ(masked.graph.nodes().size(), model.graph.nodes().size());
  EXPECT_EQ(masked.opsets.count("pare"), 0U);
  expect_same_outputs(student.model, masked);
  EXPECT_GT(zeros_of(masked, "body.weight"), zeros_of(masked, "tail.weight"));
  EXPECT_GT(zeros_of(masked, "tail.weight"), 0);
  EXPECT_TRUE(weight_of(masked, "stem.weight").identical(weight_of(model, "stem.weight")));
}

TEST(MaskStudent, LayersThatShareAWeightReadOneMask) {
  ir::Model model = residual_model();
  model.graph.set_input(model.graph.find_node("tail"), 1, model.graph.find_value("body.weight"));
  MaskStudent student(model, {target_of(model, "body")}, [](const PruneTarget&) {
    return MaskNode{"SoftThreshold", {{"s", Tensor::from<float>({1}, {-1})}}};
  });
  const ir::Graph& graph = student.model.graph;
  EXPECT_EQ(graph.value(graph.find_value("body.weight")).consumers.size(), 1U);
  EXPECT_EQ(graph.node(graph.find_node("body")).input(1), graph.node(graph.find_node("tail")).input(1));
  expect_same_outputs(student.model, student.masked());
}

/// Trains the residual model with the fake trainer, whose gradients are small and arbitrary.
PipelineResult trained(World& world, const std::string& method, const std::string& more = "") {
  return world.run("steps: [{prune: {method: " + method + ", exclude: [last], batch_size: 8, workers: 1}}" + more + "]");
}

double sparsity_of(const PipelineResult& result) { return result.run["steps"].back()["pruned"]["sparsity"]; }

TEST(MovementPruning, ReachesItsSparsityAndKeepsPatterns) {
  World world(here());
  EXPECT_NEAR(sparsity_of(trained(world, "movement, sparsity: 0.6, epochs: 4")), 0.6, 0.01);
  const PipelineResult pattern = trained(world, "movement, pattern: '2:4', epochs: 4, include: [body, tail]");
  EXPECT_EQ(sparsity_of(pattern), 0.5);
  for (const std::string layer : {"body", "tail"}) {
    const PruneTarget target = target_of(pattern.model, layer);
    EXPECT_TRUE(ir::has_pattern(target.weight, target.view, ir::SparsityPattern::parse("2:4")));
  }
}

TEST(MovementPruning, ScoresDecideWhateverTheMagnitude) {
  World world(here());
  const Tensor before = weight_of(world.model, "tail.weight").clone();
  const PipelineResult result = trained(world, "movement, sparsity: 0.5, include: [tail], epochs: 2, prune_until: 1");
  const Tensor& after = weight_of(result.model, "tail.weight");
  double kept = 0, gone = 0;
  for (std::size_t i = 0; i < 576; ++i)
    (after.data<float>()[i] == 0 ? gone : kept) += std::fabs(static_cast<double>(before.data<float>()[i]));
  EXPECT_GT(gone, 0.7 * kept) << "chosen by magnitude the zeros would hold a fifth";
  const auto& importance = result.run["steps"][0]["importance"];
  EXPECT_LT(importance["low"].get<double>(), 0) << "scores of either sign";
  EXPECT_EQ(importance["kept"][0], 0);
  EXPECT_EQ(importance["kept"].back(), importance["all"].back());
}

TEST(MovementPruning, ZerosThatAreThereCountAndStay) {
  World world(here());
  const ir::Model half = world.run("steps: [{prune: {method: magnitude, sparsity: 0.4, exclude: [last]}}]").model;
  world.model = half;
  const PipelineResult result = trained(world, "movement, sparsity: 0.6, epochs: 4");
  EXPECT_NEAR(sparsity_of(result), 0.6, 0.01);
  const auto before = weight_of(half, "body.weight").data<float>(), after = weight_of(result.model, "body.weight").data<float>();
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] == 0) EXPECT_EQ(after[i], 0);
}

TEST(SoftThreshold, WhatIsBelowTheThresholdIsZero) {
  World world(here());
  const double threshold = 1 / (1 + std::exp(1.5));
  const Tensor before = weight_of(world.model, "body.weight").clone();
  const PipelineResult result = trained(world, "soft_threshold, start: -1.5, epochs: 1, lr: 0, threshold_lr: 0");
  const auto after = weight_of(result.model, "body.weight").data<float>();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const double w = static_cast<double>(before.data<float>()[i]);
    EXPECT_NEAR(after[i], std::max(std::fabs(w) - threshold, 0.0) * (w > 0 ? 1 : -1), 1e-6);
  }
  for (const auto& layer : result.run["steps"][0]["pruned"]["layers"])
    EXPECT_NEAR(layer["threshold"].get<double>(), threshold, 1e-6);
  EXPECT_EQ(result.run["steps"][0]["importance"]["kept"][0], 0) << "the smallest of 20 bins lies below";
}

TEST(L0, GatesThatEndShutAreZeros) {
  World world(here());
  EXPECT_EQ(sparsity_of(trained(world, "l0, epochs: 1, lr: 0, start: 3")), 0);
  EXPECT_EQ(sparsity_of(trained(world, "l0, epochs: 1, lr: 0, start: -3")), 1);
  const PipelineResult half = trained(world, "l0, epochs: 1, lr: 0, start: 0");
  const auto before = weight_of(world.model, "body.weight").data<float>(), after = weight_of(half.model, "body.weight").data<float>();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i] / 2, 1e-6) << "1.2 sigmoid(0) - 0.1";
}

TEST(L0, AGateOfAChannelOpensItWhole) {
  World world(here());
  const PipelineResult result = trained(world, "l0, epochs: 3, lr: 1, start: -2.38, gates: channel, include: [body]");
  const auto after = weight_of(result.model, "body.weight").data<float>();
  int shut = 0;
  for (std::size_t channel = 0; channel < 8; ++channel) {
    const auto zeros = std::count(after.begin() + static_cast<std::ptrdiff_t>(72 * channel),
                                  after.begin() + static_cast<std::ptrdiff_t>(72 * channel + 72), 0.0F);
    EXPECT_TRUE(zeros == 0 || zeros == 72) << zeros;
    shut += zeros == 72;
  }
  EXPECT_NEAR(sparsity_of(result), shut / 8.0, 1e-9);
}

TEST(LearnedMasks, QuantizationKeepsThem) {
  World world(here());
  const PipelineResult result = trained(world, "soft_threshold, start: -1.5, epochs: 1", ", {quantize: {method: static}}");
  const auto& layers = result.run["steps"][0]["pruned"]["layers"];
  std::int64_t expected = 0, zeros = 0;
  for (const auto& layer : layers)
    expected += std::llround(layer["sparsity"].get<double>() *
                             static_cast<double>(weight_of(world.model, layer["weight"].get<std::string>()).numel()));
  for (const Layer& layer : find_layers(result.model.graph)) {
    const Tensor& weight = *result.model.graph.constant(layer.weight.value);
    ASSERT_EQ(weight.dtype(), DType::kInt8) << layer.name;
    if (layer.name != "head")
      for (const std::int8_t q : weight.data<std::int8_t>()) zeros += q == 0;
  }
  EXPECT_GT(expected, 200);
  EXPECT_GE(zeros, expected) << "small weights round to zero besides";
}

TEST(LearnedMasks, NeedEpochsAndData) {
  for (const std::string method : {"movement", "soft_threshold", "l0"}) {
    World world(here() + method);
    EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: " + method + ", epochs: 0}}]"); }).code(),
              ErrorCode::kUsage);
    world.dataset = {};
    EXPECT_EQ(error_of([&] { world.run("steps: [{prune: {method: " + method + "}}]"); }).code(), ErrorCode::kUsage);
  }
}

TEST(LearnedMasks, APatternHasItsSparsity) {
  World world(here());
  EXPECT_EQ(error_of([&] {
              world.run("steps: [{prune: {method: movement, pattern: '8:64', sparsity: 0.5}}]");
            }).code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::compress
