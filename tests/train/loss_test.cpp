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
  options.loss = {0, 3, 0.7};
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
  options.loss = {0, 4, 1};
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
