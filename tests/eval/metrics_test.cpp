#include "eval/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pare/error.h"

namespace pare::eval {
namespace {

TEST(Wilson, MatchesPublishedValues) {
  // Newcombe (1998), table I: 81/263 and 15/148, score method without continuity correction.
  const Interval a = wilson95(81, 263);
  EXPECT_NEAR(a.low, 25.53, 0.01);
  EXPECT_NEAR(a.high, 36.62, 0.01);
  const Interval b = wilson95(15, 148);
  EXPECT_NEAR(b.low, 6.24, 0.01);
  EXPECT_NEAR(b.high, 16.05, 0.01);
}

TEST(Metrics, CountsTop1Top5AndLoss) {
  MetricAccumulator accumulator;
  // Six classes; labels rank 0, 1 and 5.
  accumulator.add(Tensor::from<float>({3, 6}, {5, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0}),
                  std::vector<std::int64_t>{0, 1, 5});
  const Metrics metrics = accumulator.result();
  EXPECT_EQ(metrics.samples, 3);
  EXPECT_NEAR(*metrics.top1, 100.0 / 3, 1e-9);
  EXPECT_NEAR(*metrics.top5, 200.0 / 3, 1e-9);
  const double log_sum = std::log(1 + std::exp(-1) + std::exp(-2) + std::exp(-3) + std::exp(-4) + std::exp(-5));
  EXPECT_NEAR(*metrics.loss, log_sum + (0 + 1 + 5) / 3.0, 1e-9);
  EXPECT_FALSE(metrics.agreement);
}

TEST(Metrics, TiesGoToTheLowerIndexAsArgmaxDoes) {
  MetricAccumulator accumulator;
  accumulator.add(Tensor::from<float>({2, 2}, {1, 1, 1, 1}), std::vector<std::int64_t>{0, 1});
  EXPECT_DOUBLE_EQ(*accumulator.result().top1, 50);
}

TEST(Metrics, AgreementAndSnrWithoutLabels) {
  MetricAccumulator accumulator;
  const Tensor reference = Tensor::from<float>({2, 2}, {3, 0, 0, 4});
  accumulator.add(Tensor::from<float>({2, 2}, {3, 0, 5, 4}), {}, &reference);
  const Metrics metrics = accumulator.result();
  EXPECT_FALSE(metrics.top1);
  EXPECT_DOUBLE_EQ(*metrics.agreement, 50);
  EXPECT_DOUBLE_EQ(*metrics.snr_db, 0);  // signal 25, noise 25
}

TEST(Metrics, IdenticalOutputsHaveNoSnr) {
  MetricAccumulator accumulator;
  const Tensor logits = Tensor::from<float>({1, 2}, {3, 0});
  accumulator.add(logits, {}, &logits);
  EXPECT_FALSE(accumulator.result().snr_db);
  EXPECT_DOUBLE_EQ(*accumulator.result().agreement, 100);
}

TEST(Metrics, RegressionErrorsAndExplainedVariance) {
  MetricAccumulator accumulator;
  const Tensor reference = Tensor::from<float>({2, 2}, {1, 10, 2, 20});
  // Batches of two and one; columns with means 2 and 20, variations 2 and 200; errors 0.5 in the first column only.
  accumulator.add(Tensor::from<float>({2, 2}, {1.5, 10, 2.5, 20}), {}, &reference,
                  Tensor::from<float>({2, 2}, {1, 10, 2, 20}));
  accumulator.add(Tensor::from<float>({1, 2}, {2.5, 30}), {}, nullptr, Tensor::from<float>({1, 2}, {3, 30}));
  const Metrics metrics = accumulator.result();
  EXPECT_EQ(metrics.samples, 3);
  EXPECT_NEAR(*metrics.mse, 0.75 / 6, 1e-12);
  EXPECT_NEAR(*metrics.mae, 1.5 / 6, 1e-12);
  EXPECT_NEAR(*metrics.r2, 100 * (1 - 0.75 / 202), 1e-9);
  EXPECT_FALSE(metrics.agreement);
  EXPECT_NEAR(*metrics.snr_db, 10 * std::log10(505 / 0.5), 1e-9);
}

TEST(Metrics, TargetsOfAnotherShapeAndWithoutVariation) {
  MetricAccumulator accumulator;
  const Tensor output = Tensor::from<float>({2, 1}, {1, 2});
  EXPECT_THROW(accumulator.add(output, {}, nullptr, Tensor::from<float>({2, 2}, {1, 2, 3, 4})), Error);
  EXPECT_THROW(accumulator.add(output, {}, nullptr, Tensor::from<float>({1, 2}, {1, 2})), Error);
  MetricAccumulator flat;
  flat.add(output, {}, nullptr, Tensor::from<float>({2}, {0.1f, 0.1f}));
  EXPECT_TRUE(flat.result().mse);
  EXPECT_FALSE(flat.result().r2);
}

TEST(Metrics, OneNumberHasNoTop1ToAgreeOn) {
  MetricAccumulator accumulator;
  const Tensor reference = Tensor::from<float>({2, 1}, {1, 2});
  accumulator.add(Tensor::from<float>({2, 1}, {1, 3}), {}, &reference);
  EXPECT_FALSE(accumulator.result().agreement);
  EXPECT_TRUE(accumulator.result().snr_db);
}

TEST(Metrics, BadLabelsAndOutputsAreNamed) {
  MetricAccumulator accumulator;
  const Tensor logits = Tensor::from<float>({1, 2}, {3, 0});
  EXPECT_THROW(accumulator.add(logits, std::vector<std::int64_t>{2}), Error);
  EXPECT_THROW(accumulator.add(logits, std::vector<std::int64_t>{-1}), Error);
  EXPECT_THROW(accumulator.add(Tensor::from<float>({1, 2}, {NAN, 0}), {}), Error);
  const Tensor other = Tensor::from<float>({2, 1}, {3, 0});
  EXPECT_THROW(accumulator.add(logits, {}, &other), Error);
}

}  // namespace
}  // namespace pare::eval
