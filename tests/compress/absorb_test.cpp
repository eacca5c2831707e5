// High-bias absorption: by hand, and by what it must keep and what it must gain.
#include "compress/quantize/absorb.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fakes.h"

namespace pare::compress {
namespace {

TEST(Absorb, SharesByHand) {
  // Means 10, 2 and −5 with a deviation of 1: three of them below, or nothing.
  EXPECT_EQ(absorbed_shares({{10, 2, -5}, {101, 5, 26}, {}}), (std::vector<double>{7, 0, 0}));
}

/// image → one → relu → two (1×1, or 3×3 with padding) → [N, 4, 8, 8]; some channels of `one` lie far above 0.
ir::Model high_model(bool padded, bool biased = true) {
  Builder b;
  ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  Tensor bias = random_tensor({6}, 2);
  bias.mutable_data<float>()[1] = 8;
  bias.mutable_data<float>()[4] = 20;
  ir::ValueId one = b.add("Conv", "one", {x, b.constant("one.weight", random_tensor({6, 1, 3, 3}, 1)), b.constant("one.bias", bias)});
  ir::ValueId relu = b.add("Relu", "relu", {one});
  const std::int64_t k = padded ? 3 : 1, pad = padded ? 1 : 0;
  std::vector<ir::ValueId> inputs = {relu, b.constant("two.weight", random_tensor({4, 6, k, k}, 3))};
  if (biased) inputs.push_back(b.constant("two.bias", random_tensor({4}, 4)));
  return b.finish(b.add("Conv", "two", inputs, {{"pads", std::vector<std::int64_t>{pad, pad, pad, pad}}}));
}

struct Setting {
  World world{::testing::UnitTest::GetInstance()->current_test_info()->name()};
  nlohmann::json options, record;
  Absorbed absorb(ir::Model& model) {
    const ir::Model before = model;
    world.dataset = image_data(false);
    return absorb_biases(model, find_layers(model.graph), 40,
                         StepContext{.options = options,
                                     .original = before,
                                     .dataset = world.dataset,
                                     .backend = world.backend,
                                     .trainer = world.trainer,
                                     .execution = {.threads = 1, .seed = 3},
                                     .control = world.control,
                                     .checkpoints = nullptr,
                                     .record = record,
                                     .store = nullptr});
  }
  double noise(const ir::Model& a, const ir::Model& b) {
    const NamedTensors inputs = world.dataset.test->batch({0, 1, 2, 3, 4, 5, 6, 7}).inputs;
    const Tensor x = ir::evaluate(a, inputs).begin()->second, y = ir::evaluate(b, inputs).begin()->second;
    double off = 0, signal = 0;
    for (std::size_t i = 0; i < x.data<float>().size(); ++i) {
      const auto one = static_cast<double>(x.data<float>()[i]);
      off += std::pow(one - static_cast<double>(y.data<float>()[i]), 2);
      signal += one * one;
    }
    return off / signal;
  }
};

TEST(Absorb, MovesWhatIsAlwaysThereAndComputesNearlyTheSame) {
  Setting setting;
  const ir::Model before = high_model(false);
  ir::Model after = before;
  const Absorbed done = setting.absorb(after);
  ASSERT_EQ(done.largest.size(), 1U);
  EXPECT_GT(done.largest.at("one → two"), 15);
  EXPECT_LT(setting.noise(before, after), 1e-5);
  const Layer one = find_layers(after.graph)[0];
  const auto bias = after.graph.constant(after.graph.node(one.node).input(2))->data<float>();
  EXPECT_LT(bias[4], 5.0F);
  EXPECT_EQ(bias[0], before.graph.constant(before.graph.find_value("one.bias"))->data<float>()[0]) << "not above 0";
}

TEST(Absorb, LeavesPairsThatItWouldChange) {
  Setting setting;
  ir::Model padded = high_model(true), unbiased = high_model(false, false);
  EXPECT_EQ(setting.absorb(padded).left.at("one → two"), "'two' pads with zeros");
  EXPECT_EQ(setting.absorb(unbiased).left.at("one → two"), "'two' has no bias");
}

TEST(Absorb, IntegersThenMakeLessNoise) {
  const auto noise = [](const std::string& options) {
    Setting setting;
    setting.world.dataset = image_data(false);
    setting.world.model = high_model(false);
    const ir::Model before = setting.world.model;
    return setting.noise(before, setting.world.run("steps: [{quantize: {smooth: \"off\", protect: {macs: 0}, equalize: true, " +
                                                   options + "}}]")
                                     .model);
  };
  EXPECT_LT(noise("absorb_bias: true"), 0.5 * noise("absorb_bias: false"));
}

}  // namespace
}  // namespace pare::compress
