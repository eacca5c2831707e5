// What a change does to a model's outputs: all of floats, each by its own power.
#include "compress/quantize/probe.h"

#include <gtest/gtest.h>

#include "../fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// image → flatten → boxes (hundreds), scores (below one), and the class of the best as an integer.
ir::Model detector() {
  Builder b;
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.input("image", {ir::Dim::symbol("N"), 1, 8, 8})});
  const ir::ValueId boxes =
      b.add("MatMul", "boxes", {flat, b.constant("boxes.weight", random_tensor({64, 8}, 1, 100))});
  const ir::ValueId scores = b.add(
      "Softmax", "scores", {b.add("MatMul", "logits", {flat, b.constant("logits.weight", random_tensor({64, 4}, 2))})},
      {{"axis", std::int64_t{1}}});
  const ir::ValueId best = b.add("ArgMax", "best", {scores}, {{"axis", std::int64_t{1}}});
  ir::Model model = b.finish(boxes);
  model.graph.outputs = {best, scores, boxes};
  ir::infer_shapes(model);
  return model;
}

/// The model with one weight of a layer multiplied.
ir::Model scaled(const ir::Model& model, const std::string& weight, float by) {
  ir::Model out = model;
  const ir::ValueId id = out.graph.find_value(weight);
  Tensor changed = out.graph.constant(id)->clone();
  for (float& w : changed.mutable_data<float>()) w *= by;
  out.graph.set_constant(id, changed);
  return out;
}

struct Fixture {
  explicit Fixture(const ir::Model& model) : world("probe") {
    world.model = model;
    world.dataset = image_data(false);
  }
  StepContext context() {
    return {options,        world.model,   world.dataset, world.backend, world.trainer,
            {.threads = 1}, world.control, nullptr,       record};
  }
  World world;
  json options, record;
};

TEST(Probe, JudgesAllOutputsOfFloatsEachByItsPower) {
  Fixture fixture(detector());
  const StepContext context = fixture.context();
  const Probe probe(fixture.world.model, 12, context);
  ASSERT_TRUE(probe.usable());
  EXPECT_EQ(probe.outputs(), (std::vector<std::string>{"scores_out", "boxes_out"}));
  EXPECT_EQ(probe.noise(fixture.world.model), 0);
  // A tenth more of every box is a hundredth of the boxes' power, and half of that of both.
  EXPECT_NEAR(probe.noise(scaled(fixture.world.model, "boxes.weight", 1.1F)), 0.005, 1e-6);
  // Scores count as much, small as they are beside the boxes.
  EXPECT_GT(probe.noise(scaled(fixture.world.model, "logits.weight", 0.0F)), 0.01);
}

TEST(Probe, JudgesTheOutputThatTheDataNames) {
  Fixture fixture(detector());
  fixture.world.dataset.output = "boxes_out";
  const StepContext context = fixture.context();
  const Probe probe(fixture.world.model, 12, context);
  EXPECT_EQ(probe.outputs(), std::vector<std::string>{"boxes_out"});
  EXPECT_EQ(probe.noise(scaled(fixture.world.model, "logits.weight", 0.0F)), 0);
  EXPECT_NEAR(probe.noise(scaled(fixture.world.model, "boxes.weight", 1.1F)), 0.01, 1e-6);
}

TEST(Probe, AnOutputOfZerosOrOfIntegersIsNoJudge) {
  Fixture zeros(scaled(detector(), "boxes.weight", 0));
  const StepContext first = zeros.context();
  EXPECT_EQ(Probe(zeros.world.model, 4, first).outputs(), std::vector<std::string>{"scores_out"});
  ir::Model model = detector();
  model.graph.outputs = {model.graph.outputs[0]};
  Fixture integers(model);
  const StepContext second = integers.context();
  const Probe probe(integers.world.model, 4, second);
  EXPECT_FALSE(probe.usable());
  EXPECT_EQ(probe.why_not(), "the model has no output of floats");
  EXPECT_TRUE(probe.outputs().empty());
}

TEST(Probe, AnotherNumberOfResultsCountsAsLost) {
  // What lies above a threshold: as many as there are.
  Builder b;
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.input("image", {ir::Dim::symbol("N"), 1, 8, 8})});
  const ir::ValueId made = b.add("MatMul", "made", {flat, b.constant("made.weight", random_tensor({64, 8}, 1))});
  const ir::ValueId above = b.add("Greater", "above", {made, b.constant("threshold", Tensor::scalar(0.5F))});
  const ir::ValueId kept = b.add(
      "Compress", "kept",
      {b.add("Reshape", "line", {made, b.constant("all", Tensor::from({1}, std::vector<std::int64_t>{-1}))}),
       b.add("Reshape", "mask", {above, b.constant("all_too", Tensor::from({1}, std::vector<std::int64_t>{-1}))})});
  Fixture fixture(b.finish(kept));
  const StepContext context = fixture.context();
  const Probe probe(fixture.world.model, 8, context);
  ASSERT_TRUE(probe.usable());
  EXPECT_EQ(probe.noise(fixture.world.model), 0);
  EXPECT_NEAR(probe.noise(scaled(fixture.world.model, "made.weight", 0.5F)), 1, 1e-9);
}

TEST(Probe, ChoicesAreToldWhatTheyAreJudgedBy) {
  World world("probe_choice");
  world.model = detector();
  world.dataset = image_data(false);
  const json record = world.run("steps: [{quantize: {}}]").run["steps"][0]["quantized"]["choice"];
  EXPECT_EQ(record["outputs"], (json{"scores_out", "boxes_out"}));
  EXPECT_FALSE(record.contains("note"));
  for (const char* part : {"calibrator", "bias_correction"}) EXPECT_TRUE(record["parts"][part].is_number()) << part;
}

}  // namespace
}  // namespace pare::compress
