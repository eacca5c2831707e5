// mixup: shares from their distribution, answers and teachers of the mixture, and steps that continue after a resume.
#include <algorithm>
#include <cmath>

#include "train/fixture.h"

namespace pare::train {
namespace {

exec::TrainerOptions mixing(double a) {
  exec::TrainerOptions options = plain_options();
  options.mixup = a;
  return options;
}

data::Batch batch_with_targets() {
  data::Batch batch = linear_batch();
  batch.labels.clear();
  batch.targets = random_tensor({2, 4}, 55);
  return batch;
}

/// share · (1 − share) of a step's mixture. Errors of a linear model mix as its samples do, so that the loss tells it.
double product_of_shares(exec::Trainer& trainer, const ir::Model& model, const data::Batch& batch) {
  const Tensor outputs = ir::evaluate(model, batch.inputs).at("logits");
  double squares = 0, products = 0;
  for (int c = 0; c < 4; ++c) {
    const double a = outputs.data<float>()[c] - batch.targets.data<float>()[c],
                 b = outputs.data<float>()[4 + c] - batch.targets.data<float>()[4 + c];
    squares += a * a + b * b;
    products += a * b;
  }
  const double loss = trainer.step(batch, 0).loss * 8;
  return (squares - loss) / (2 * squares - 4 * products);
}

TEST(Mixup, SharesAreDrawnFromABeta) {
  const ir::Model model = linear_model();
  const data::Batch batch = batch_with_targets();
  for (const double a : {0.2, 1.0, 8.0}) {
    const auto trainer = factory().create(model, nullptr, mixing(a));
    double sum = 0, least = 1, most = 0;
    constexpr int kDraws = 600;
    for (int i = 0; i < kDraws; ++i) {
      const double product = product_of_shares(*trainer, model, batch);
      sum += product;
      least = std::min(least, product);
      most = std::max(most, product);
    }
    EXPECT_NEAR(sum / kDraws, a / (2 * (2 * a + 1)), 0.02) << a;  // E[s(1 − s)] of Beta(a, a)
    EXPECT_GT(least, -1e-4);
    EXPECT_LT(most, 0.2501);
    EXPECT_GT(most - least, a > 4 ? 0.05 : 0.15) << "a share for every step";
  }
}

TEST(Mixup, TheTeacherSeesTheMixture) {
  exec::TrainerOptions options = mixing(1);
  options.loss.alpha = 1;
  const ir::Model student = linear_model();
  EXPECT_NEAR(factory().create(student, &student, options)->step(linear_batch(), 0).loss, 0, 1e-6);
}

TEST(Mixup, LabelsAreMixedAsTheSamplesAre) {
  // Two samples alike: whatever the share, the mean over both is that of their labels.
  data::Batch batch = linear_batch();
  float* x = batch.inputs.at("x").mutable_data<float>().data();
  std::copy(x, x + 3, x + 3);
  batch.labels = {0, 3};
  const auto plain = factory().create(linear_model(), nullptr, plain_options());
  const auto mixed = factory().create(linear_model(), nullptr, mixing(1));
  EXPECT_NEAR(mixed->step(batch, 0).loss, plain->step(batch, 0).loss, 1e-6);
  // Samples that differ make other mixtures of inputs.
  const data::Batch apart = linear_batch();
  EXPECT_GT(std::abs(mixed->step(apart, 0).loss - plain->step(apart, 0).loss), 1e-4);
}

TEST(Mixup, CriteriaAndEvaluationSeeTheSamplesThemselves) {
  const data::Batch batch = small_batch();
  const auto plain = factory().create(small_network(), nullptr, plain_options());
  const auto mixed = factory().create(small_network(), nullptr, mixing(1));
  EXPECT_EQ(mixed->evaluate(batch).loss, plain->evaluate(batch).loss);
  const NamedTensors a = plain->gradients(batch), b = mixed->gradients(batch);
  for (const auto& [name, gradient] : a) EXPECT_TRUE(gradient.identical(b.at(name))) << name;
}

TEST(Mixup, ContinuesWithTheSharesOfTheRunThatStopped) {
  const ir::Model model = small_network();
  const auto whole = factory().create(model, nullptr, mixing(0.5)),
             first = factory().create(model, nullptr, mixing(0.5));
  for (std::uint64_t i = 0; i < 3; ++i) {
    whole->step(small_batch(i), 0.1);
    first->step(small_batch(i), 0.1);
  }
  const auto second = factory().create(model, nullptr, mixing(0.5));
  second->load_state(first->save_state());
  for (std::uint64_t i = 3; i < 6; ++i) {
    whole->step(small_batch(i), 0.1);
    second->step(small_batch(i), 0.1);
  }
  expect_identical(*whole, *second);
}

TEST(Mixup, RefusesInputsThatAreNoNumbersToMix) {
  Builder b;
  b.input("ids", {2, 3}, DType::kInt64).constant("table", random_tensor({7, 4}, 1)).ints("axis", {1});
  b.node("Gather", {"table", "ids"}, {"e"})
      .node("ReduceSum", {"e", "axis"}, {"logits"}, {{"keepdims", std::int64_t{0}}});
  const ir::Model model = b.build({"logits"});
  const Error error = thrown_by([&] { factory().create(model, nullptr, mixing(1)); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_NE(std::string(error.what()).find("ids"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace pare::train
