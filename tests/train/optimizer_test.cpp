// Update rules, clipping of the gradient, and masks that keep zeros exactly.
#include <cmath>

#include "train/fixture.h"

namespace pare::train {
namespace {

/// Gradients of the linear model are the same at every step when the loss is replaced by its first value, so the update
/// rules are followed by reading the gradient from a plain twin at the same weights.
void expect_rule(const exec::OptimizerOptions& optimizer, int steps) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = optimizer;
  const ir::Model model = linear_model();
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(model, nullptr, options);
  const auto twin = factory().create(model, nullptr, plain_options());
  constexpr double kRate = 0.1;
  std::vector<std::vector<double>> m(2), v(2);
  for (int t = 1; t <= steps; ++t) {
    const std::vector<Tensor> before = weights_of(*trainer);
    for (std::size_t p = 0; p < 2; ++p) twin->set_parameter(trainer->parameters()[p], before[p]);
    twin->step(batch, 1);
    const std::vector<Tensor> moved = weights_of(*twin);
    trainer->step(batch, kRate);
    const std::vector<Tensor> after = weights_of(*trainer);
    for (std::size_t p = 0; p < 2; ++p) {
      m[p].resize(static_cast<std::size_t>(before[p].numel()));
      v[p].resize(m[p].size());
      const double decay = p == 0 ? optimizer.weight_decay : 0;  // biases are not decayed
      for (std::size_t i = 0; i < m[p].size(); ++i) {
        const double w = before[p].data<float>()[i], g = w - moved[p].data<float>()[i];
        double expected = 0;
        if (optimizer.kind == "sgd") {
          const double d = g + decay * w;
          m[p][i] = optimizer.momentum * m[p][i] + d;
          expected = w - kRate * (optimizer.nesterov ? d + optimizer.momentum * m[p][i] : m[p][i]);
        } else {
          m[p][i] = optimizer.beta1 * m[p][i] + (1 - optimizer.beta1) * g;
          v[p][i] = optimizer.beta2 * v[p][i] + (1 - optimizer.beta2) * g * g;
          const double mean = m[p][i] / (1 - std::pow(optimizer.beta1, t)),
                       square = v[p][i] / (1 - std::pow(optimizer.beta2, t));
          expected = w * (1 - kRate * decay) - kRate * mean / (std::sqrt(square) + optimizer.epsilon);
        }
        ASSERT_NEAR(after[p].data<float>()[i], expected, 2e-5) << "step " << t << " element " << i;
      }
    }
  }
}

TEST(Optimizer, FollowsSgdWithNesterovMomentumAndDecay) { expect_rule({.kind = "sgd", .weight_decay = 0.1}, 4); }
TEST(Optimizer, FollowsSgdWithHeavyBallMomentum) {
  expect_rule({.kind = "sgd", .momentum = 0.8, .nesterov = false}, 4);
}
TEST(Optimizer, FollowsAdamW) { expect_rule({.kind = "adamw", .weight_decay = 0.1, .epsilon = 1e-3}, 4); }

TEST(Optimizer, ClipsTheGlobalNorm) {
  exec::TrainerOptions options = plain_options();
  options.optimizer.clip_norm = 0.05;
  const auto trainer = factory().create(small_network(), nullptr, options);
  const std::vector<Tensor> before = weights_of(*trainer);
  const exec::StepResult result = trainer->step(small_batch(), 1);
  const std::vector<Tensor> after = weights_of(*trainer);
  double squares = 0;
  for (std::size_t p = 0; p < before.size(); ++p) {
    for (std::int64_t i = 0; i < before[p].numel(); ++i)
      squares += std::pow(after[p].data<float>()[i] - before[p].data<float>()[i], 2);
  }
  EXPECT_GT(result.gradient_norm, 0.05);
  EXPECT_NEAR(std::sqrt(squares), 0.05, 1e-4);
}

class Masks : public testing::TestWithParam<const char*> {};

TEST_P(Masks, KeepZerosExactly) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = {.kind = GetParam()};
  const auto trainer = factory().create(small_network(), nullptr, options);
  trainer->step(small_batch(), 0.05);  // momentum is there before the mask is
  Tensor mask(DType::kUint8, {4, 4, 3, 3});
  auto bits = mask.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 == 0;
  trainer->set_mask("w2", mask);
  const auto expect_masked = [&] {
    const Tensor weight = trainer->parameter("w2");
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const float value = weight.data<float>()[i];
      ASSERT_EQ(value == 0, bits[i] == 0) << i;
      ASSERT_FALSE(value == 0 && std::signbit(value)) << i;
    }
  };
  expect_masked();
  for (int i = 0; i < 5; ++i) {
    trainer->step(small_batch(101 + i), 0.05);
    expect_masked();
  }
  trainer->set_parameter("w2", random_tensor({4, 4, 3, 3}, 5));
  expect_masked();
  trainer->set_mask("w2", Tensor());
  trainer->step(small_batch(), 0.05);
  EXPECT_NE(trainer->parameter("w2").data<float>()[1], 0);
}

TEST_P(Masks, AreTakenOverFromTheModel) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = {.kind = GetParam()};
  ir::Model model = small_network();
  model.graph.value(model.graph.find_value("w3")).mask = Tensor(DType::kUint8, {5, 4});
  const auto trainer = factory().create(model, nullptr, options);
  trainer->step(small_batch(), 0.05);
  const Tensor weight = trainer->parameter("w3");
  for (const float value : weight.data<float>()) EXPECT_EQ(value, 0);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Masks, testing::Values("sgd", "adamw"));

}  // namespace
}  // namespace pare::train
