// Losses against their formulas: label smoothing, distillation, plain cross-entropy.
#include <algorithm>
#include <cmath>

#include "ir/model.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

std::vector<double> log_softmax(const float* logits, int classes, double temperature) {
  double sum = 0;
  for (int c = 0; c < classes; ++c) sum += std::exp(logits[c] / temperature);
  std::vector<double> result;
  for (int c = 0; c < classes; ++c) result.push_back(logits[c] / temperature - std::log(sum));
  return result;
}

TEST(Loss, LabelSmoothingMatchesItsFormula) {
  exec::TrainerOptions options = plain_options();
  options.loss.label_smoothing = 0.1;
  const ir::Model model = linear_model();
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(model, nullptr, options);
  const Tensor logits = trainer->forward(batch.inputs).at("logits");
  double expected = 0;
  std::int64_t correct = 0;
  for (int n = 0; n < 2; ++n) {
    const float* row = logits.data<float>().data() + 4 * n;
    const std::vector<double> log_p = log_softmax(row, 4, 1);
    for (int c = 0; c < 4; ++c) expected -= (c == batch.labels[n] ? 0.9 + 0.025 : 0.025) * log_p[c] / 2;
    correct += std::max_element(row, row + 4) - row == batch.labels[n];
  }
  const exec::StepResult result = trainer->step(batch, 0);
  EXPECT_NEAR(result.loss, expected, 1e-5);
  EXPECT_EQ(result.correct, correct);
  EXPECT_EQ(result.samples, 2);
}

TEST(Loss, DistillationMatchesItsFormula) {
  exec::TrainerOptions options = plain_options();
  options.loss = {.temperature = 3, .alpha = 0.7};
  const ir::Model student = linear_model();
  ir::Model teacher = student;
  teacher.graph.set_constant(teacher.graph.find_value("w"), random_tensor({4, 3}, 77));
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(student, &teacher, options);
  const Tensor s = trainer->forward(batch.inputs).at("logits"), t = ir::evaluate(teacher, batch.inputs).at("logits");
  double expected = 0;
  for (int n = 0; n < 2; ++n) {
    const float *srow = s.data<float>().data() + 4 * n, *trow = t.data<float>().data() + 4 * n;
    expected -= 0.3 * log_softmax(srow, 4, 1)[static_cast<std::size_t>(batch.labels[n])] / 2;
    const std::vector<double> ls = log_softmax(srow, 4, 3), lt = log_softmax(trow, 4, 3);
    for (int c = 0; c < 4; ++c) expected += 0.7 * 9 * std::exp(lt[c]) * (lt[c] - ls[c]) / 2;
  }
  EXPECT_NEAR(trainer->step(batch, 0).loss, expected, 1e-5);
}

TEST(Loss, DistillationAloneNeedsNoLabels) {
  exec::TrainerOptions options = plain_options();
  options.loss = {.temperature = 4, .alpha = 1};
  const ir::Model student = linear_model();
  ir::Model teacher = student;
  teacher.graph.set_constant(teacher.graph.find_value("w"), random_tensor({4, 3}, 77));
  data::Batch batch = linear_batch();
  batch.labels.clear();
  const auto trainer = factory().create(student, &teacher, options);
  const double before = trainer->evaluate(batch).loss;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(trainer->step(batch, 0.05).correct, 0);
  EXPECT_LT(trainer->evaluate(batch).loss, 0.8 * before);
}

/// conv → relu → pool → Gemm over [2, 2, 6, 6].
ir::Model network_of_features(std::uint64_t weights) {
  Builder b;
  b.input("x", {2, 2, 6, 6}).constant("w1", random_tensor({4, 2, 3, 3}, weights, 0.3F));
  b.constant("w2", random_tensor({5, 4}, 9, 0.5F));
  b.node("Conv", {"x", "w1"}, {"c"}).node("Relu", {"c"}, {"r"}).node("GlobalAveragePool", {"r"}, {"p"});
  b.node("Flatten", {"p"}, {"f"}).node("Gemm", {"f", "w2"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

/// The mean over samples and values of ‖student − teacher‖² / ‖teacher‖².
double relative_error(const ir::Model& student, const ir::Model& teacher, const std::vector<std::string>& names,
                      const data::Batch& batch) {
  const auto values = [&](ir::Model model) {
    model.graph.outputs.clear();
    for (const std::string& name : names) model.graph.outputs.push_back(model.graph.find_value(name));
    return ir::evaluate(model, batch.inputs);
  };
  const NamedTensors ours = values(student), theirs = values(teacher);
  double sum = 0;
  for (const std::string& name : names) {
    const auto s = ours.at(name).data<float>(), t = theirs.at(name).data<float>();
    const std::size_t samples = batch.labels.size(), size = s.size() / samples;
    for (std::size_t n = 0; n < samples; ++n) {
      double difference = 0, energy = 0;
      for (std::size_t i = n * size; i < (n + 1) * size; ++i) {
        const double d = static_cast<double>(s[i]) - t[i];
        difference += d * d;
        energy += static_cast<double>(t[i]) * t[i];
      }
      sum += difference / energy / static_cast<double>(samples * names.size());
    }
  }
  return sum;
}

TEST(Loss, FeaturesAddTheirRelativeError) {
  const std::vector<std::string> names = {"r", "f"};
  const ir::Model student = network_of_features(1), teacher = network_of_features(2);
  const data::Batch batch = batch_for({2, 2, 6, 6}, 5);
  exec::TrainerOptions options = plain_options();
  options.loss = {.temperature = 2, .alpha = 0.6};
  const auto without = factory().create(student, &teacher, options);
  options.loss.features = names;
  options.loss.feature_weight = 0.3;
  const auto with = factory().create(student, &teacher, options);
  const double error = relative_error(student, teacher, names, batch);
  EXPECT_GT(error, 0.1);
  EXPECT_EQ(with->evaluate(batch).loss, without->evaluate(batch).loss) << "evaluation judges the outputs alone";
  EXPECT_EQ(with->forward(batch.inputs).size(), 1u) << "features are no outputs";
  const auto a = with->gradients(batch), b = without->gradients(batch);
  EXPECT_FALSE(a.at("w1").identical(b.at("w1")));
  EXPECT_TRUE(a.at("w2").identical(b.at("w2"))) << "it lies behind the last feature";
  EXPECT_NEAR(with->step(batch, 0).loss - without->step(batch, 0).loss, 0.3 * error, 1e-5);
}

TEST(Loss, FeaturesMayBeOneNumberASample) {
  const auto network = [](std::uint64_t weights) {
    Builder b;
    b.input("x", {2, 3}).constant("w", random_tensor({4, 3}, weights)).ints("axis", {1});
    b.node("ReduceSum", {"x", "axis"}, {"s"}, {{"keepdims", std::int64_t{0}}});
    b.node("Gemm", {"x", "w"}, {"logits"}, {{"transB", std::int64_t{1}}});
    b.constant("scale", random_tensor({1}, weights + 10)).node("Mul", {"s", "scale"}, {"f"});
    return b.build({"logits"});
  };
  const ir::Model student = network(1), teacher = network(2);
  exec::TrainerOptions options = plain_options();
  options.loss = {.alpha = 1};
  const data::Batch batch = linear_batch();
  const double without = factory().create(student, &teacher, options)->step(batch, 0).loss;
  options.loss.features = {"f"};
  const double with = factory().create(student, &teacher, options)->step(batch, 0).loss;
  EXPECT_NEAR(with - without, relative_error(student, teacher, {"f"}, batch), 1e-4 * with);
}

TEST(Loss, FeaturesBecomeTheTeachers) {
  const ir::Model teacher = network_of_features(2);
  ir::Model student = network_of_features(1);
  const data::Batch batch = batch_for({2, 2, 6, 6}, 5);
  exec::TrainerOptions options = plain_options();
  options.loss = {.alpha = 1, .features = {"r"}, .feature_weight = 1};
  const auto trainer = factory().create(student, &teacher, options);
  const double before = relative_error(student, teacher, {"r"}, batch);
  for (int i = 0; i < 50; ++i) trainer->step(batch, 0.1);
  trainer->write_back(student);
  EXPECT_LT(relative_error(student, teacher, {"r"}, batch), 0.3 * before);
}

TEST(Loss, FeaturesMustBeInBothAndHaveATeacher) {
  const ir::Model model = network_of_features(1);
  exec::TrainerOptions options = plain_options();
  options.loss.features = {"r"};
  EXPECT_EQ(thrown_by([&] { factory().create(model, nullptr, options); }).code(), ErrorCode::kUsage);
  options.loss.alpha = 0.5;
  options.loss.features = {"nowhere"};
  const Error error = thrown_by([&] { factory().create(model, &model, options); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(error.what()).find("nowhere"), std::string::npos) << error.what();
}

TEST(Loss, EvaluationReportsPlainCrossEntropyOfTheInferenceModel) {
  exec::TrainerOptions options = plain_options();
  options.loss.label_smoothing = 0.2;
  const auto trainer = factory().create(small_network(), nullptr, options);
  const data::Batch batch = small_batch();
  const Tensor logits = trainer->forward(batch.inputs).at("logits");
  double expected = 0;
  for (int n = 0; n < 8; ++n) {
    expected -= log_softmax(logits.data<float>().data() + 5 * n, 5, 1)[static_cast<std::size_t>(batch.labels[n])] / 8;
  }
  EXPECT_NEAR(trainer->evaluate(batch).loss, expected, 1e-5);
}

}  // namespace
}  // namespace pare::train
