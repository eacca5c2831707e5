// A batch split among threads is the same step.
#include "train/fixture.h"

namespace pare::train {
namespace {

/// conv → relu → pool → Gemm over [N, 2, 6, 6] with N free: a batch may be split among threads.
ir::Model separable_network() {
  Builder b;
  b.constant("w1", random_tensor({4, 2, 3, 3}, 1, 0.3F)).constant("b1", random_tensor({4}, 2, 0.1F));
  b.constant("w2", random_tensor({5, 4}, 9, 0.5F)).constant("b2", random_tensor({5}, 10, 0.1F));
  b.free_input("x", "N", {2, 6, 6});
  b.node("Conv", {"x", "w1", "b1"}, {"c"}).node("Relu", {"c"}, {"r"}).node("GlobalAveragePool", {"r"}, {"p"});
  b.node("Flatten", {"p"}, {"f"}).node("Gemm", {"f", "w2", "b2"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

TEST(Parts, OfABatchGiveTheStepOfTheWhole) {
  const ir::Model model = separable_network();
  ir::Model teacher = model;
  teacher.graph.set_constant(teacher.graph.find_value("w1"), random_tensor({4, 2, 3, 3}, 77, 0.3F));
  exec::TrainerOptions options = plain_options();
  options.loss.alpha = 0.5;
  options.loss.features = {"r"};
  options.mixup = 1;
  const auto whole = factory().create(model, &teacher, options);
  options.threads = 3;
  const auto parts = factory().create(model, &teacher, options), again = factory().create(model, &teacher, options);
  const data::Batch batch = batch_for({29, 2, 6, 6}, 5);  // 9, 10 and 10 samples
  for (int i = 0; i < 3; ++i) {
    const exec::StepResult a = whole->step(batch, 0.1), b = parts->step(batch, 0.1);
    again->step(batch, 0.1);
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-6);
    EXPECT_EQ(a.correct, b.correct);
    EXPECT_EQ(b.samples, 29);
  }
  for (const std::string& name : whole->parameters()) {
    const Tensor a = whole->parameter(name), b = parts->parameter(name);
    for (std::int64_t i = 0; i < a.numel(); ++i) EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], 1e-5) << name;
  }
  expect_identical(*parts, *again);
}

TEST(Parts, AreNotMadeWhereSamplesMeet) {  // batch statistics: threads must not change what is computed
  Builder b;
  b.constant("w", random_tensor({4, 2, 3, 3}, 1)).constant("s", random_tensor({4}, 2, 0.1F, 1));
  b.constant("z", random_tensor({4}, 3)).constant("m", random_tensor({4}, 4));
  b.constant("v", Tensor::from<float>({4}, {1, 2, 1, 2}));
  b.free_input("x", "N", {2, 6, 6});
  b.node("Conv", {"x", "w"}, {"c"}).node("BatchNormalization", {"c", "s", "z", "m", "v"}, {"n"});
  b.node("GlobalAveragePool", {"n"}, {"p"}).node("Flatten", {"p"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  exec::TrainerOptions options = plain_options();
  const auto one = factory().create(model, nullptr, options);
  options.threads = 2;
  const auto two = factory().create(model, nullptr, options);
  const data::Batch batch = batch_for({32, 2, 6, 6}, 4);
  EXPECT_NEAR(one->step(batch, 0.1).loss, two->step(batch, 0.1).loss, 1e-5);
}

TEST(Parts, ReportWrongLabelsLikeTheWhole) {
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  const auto trainer = factory().create(separable_network(), nullptr, options);
  data::Batch batch = batch_for({32, 2, 6, 6}, 5);
  batch.labels.pop_back();
  EXPECT_EQ(thrown_by([&] { trainer->step(batch, 0.1); }).code(), ErrorCode::kBadInput);
  batch.labels.push_back(7);
  EXPECT_NE(std::string(thrown_by([&] { trainer->step(batch, 0.1); }).what()).find("label 7"), std::string::npos);
}

}  // namespace
}  // namespace pare::train
