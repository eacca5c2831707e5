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
