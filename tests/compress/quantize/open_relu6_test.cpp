// ReLU6 between layers becomes ReLU where the output bears it.
#include "compress/quantize/open_relu6.h"

#include <gtest/gtest.h>

#include "../fakes.h"
#include "compress/quantize/equalize.h"

namespace pare::compress {
namespace {

using nlohmann::json;

/// image → one → Clip(0, first) → two → Clip(0, second) → three → mean → [N, 4]
ir::Model clipped_model(float first, float second) {
  Builder b;
  const auto clip = [&](const std::string& name, ir::ValueId x, float high) {
    return b.add(
        "Clip", name,
        {x, b.constant(name + ".low", Tensor::scalar(0.0F)), b.constant(name + ".high", Tensor::scalar(high))});
  };
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId one = clip("clip_one", b.conv("one", x, 1, 6, 1), first);
  const ir::ValueId two = clip("clip_two", b.conv("two", one, 6, 6, 2), second);
  const ir::ValueId mean = b.add("GlobalAveragePool", "mean", {b.conv("three", two, 6, 4, 3)});
  return b.finish(b.add("Flatten", "flatten", {mean}));
}

json choice_of(const ir::Model& model, ir::Model* written = nullptr) {
  World world(std::string("relu6_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.model = model;
  world.dataset = image_data(false);
  const PipelineResult result = world.run("steps: [{quantize: {equalize: true, protect: {macs: 0}}}]");
  if (written) *written = result.model;
  return result.run["steps"][0]["quantized"]["choice"];
}

TEST(OpenRelu6, OpensWhatHardlyEverBindsAndSaysWhatTheRestWouldCost) {
  const json choice = choice_of(clipped_model(1000, 0.05F));
  EXPECT_EQ(choice["relu6"]["opened"], json{"clip_one"});
  EXPECT_EQ(choice["relu6"]["snr_db"], 200) << "no value lies above the bound";
  ASSERT_EQ(choice["relu6"]["kept"].size(), 1U);
  EXPECT_LT(choice["relu6"]["kept"]["clip_two"].get<double>(), 40);
  EXPECT_EQ(choice["equalized"], json{"one → two"});
}

TEST(OpenRelu6, WithoutAClipThereIsNothingToTell) {
  const json choice = choice_of(residual_model());
  EXPECT_FALSE(choice.contains("relu6"));
}

TEST(OpenRelu6, TogetherTheyKeepTheOutputToo) {
  World world("relu6_together");
  world.model = clipped_model(1.2F, 1.5F);  // both bind now and then
  world.dataset = image_data(false);
  json options, record;
  const StepContext context{options,        world.model,   world.dataset, world.backend, world.trainer,
                            {.threads = 1}, world.control, nullptr,       record};
  const Probe probe(world.model, 16, context);
  ir::Model model = world.model;
  const OpenedRelu6 done = open_relu6(model, find_layers(model.graph), probe, context);
  EXPECT_EQ(done.opened.size() + done.kept.size(), 2U);
  EXPECT_LE(probe.noise(model), 1e-4);
  EXPECT_NEAR(decibels(probe.noise(model)), done.snr_db, 1e-9);
  for (const auto& [clip, db] : done.kept) EXPECT_GT(db, 0) << clip;
}

TEST(OpenRelu6, AClipThatIsNoRelu6Stays) {
  ir::Model model = clipped_model(1000, 1000);
  model.graph.set_constant(model.graph.find_value("clip_two.low"), Tensor::scalar(-1.0F));
  EXPECT_EQ(choice_of(model)["relu6"]["opened"], json{"clip_one"});
}

}  // namespace
}  // namespace pare::compress
