// BatchNorm while training: running statistics, and when they stay frozen.
#include "train/fixture.h"

namespace pare::train {
namespace {

TEST(BatchNorm, RunningStatisticsFollowTheBatches) {
  ir::Model model = small_network();
  const auto trainer = factory().create(model, nullptr, plain_options());
  const data::Batch batch = small_batch();
  // The first convolution's output, by the reference.
  ir::Model probe = model;
  probe.graph.outputs = {probe.graph.find_value("c1")};
  const Tensor c1 = ir::evaluate(probe, batch.inputs).at("c1");
  trainer->step(batch, 0);
  trainer->write_back(model);
  const auto read = [&](const char* name) { return *model.graph.constant(model.graph.find_value(name)); };
  const ir::Model original = small_network();
  const auto was = [&](const char* name) { return *original.graph.constant(original.graph.find_value(name)); };
  for (std::size_t channel = 0; channel < 4; ++channel) {
    double sum = 0, squares = 0;
    constexpr double kCount = 8 * 36;
    for (std::size_t n = 0; n < 8; ++n) {
      for (std::size_t i = 0; i < 36; ++i) {
        const double value = c1.data<float>()[(n * 4 + channel) * 36 + i];
        sum += value;
        squares += value * value;
      }
    }
    const double mean = sum / kCount, variance = (squares - sum * mean) / (kCount - 1);
    EXPECT_NEAR(read("mean").data<float>()[channel], 0.9 * was("mean").data<float>()[channel] + 0.1 * mean, 1e-5);
    EXPECT_NEAR(read("variance").data<float>()[channel], 0.9 * was("variance").data<float>()[channel] + 0.1 * variance,
                1e-4);
  }
}

TEST(BatchNorm, SharedStatisticsStayFrozen) {
  Builder b;
  b.input("x", {4, 2, 3, 3}).constant("s", random_tensor({2}, 1)).constant("t", random_tensor({2}, 2));
  b.constant("m", random_tensor({2}, 3)).constant("v", random_tensor({2}, 4, 0.1F, 1));
  b.node("BatchNormalization", {"x", "s", "t", "m", "v"}, {"n"})
      .node("BatchNormalization", {"n", "s", "t", "m", "v"}, {"y"});
  b.node("Flatten", {"y"}, {"logits"});
  ir::Model model = b.build({"logits"});
  const Tensor before = *model.graph.constant(model.graph.find_value("m"));
  const auto trainer = factory().create(model, nullptr, plain_options());
  const data::Batch batch = batch_for({4, 2, 3, 3}, 18);
  EXPECT_NEAR(trainer->step(batch, 0).loss, trainer->evaluate(batch).loss, 1e-6);  // inference statistics in both
  trainer->write_back(model);
  EXPECT_TRUE(model.graph.constant(model.graph.find_value("m"))->identical(before));
}

}  // namespace
}  // namespace pare::train
