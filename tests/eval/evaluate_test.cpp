#include "eval/evaluate.h"

#include <gtest/gtest.h>

#include "eval/fakes.h"
#include "pare/error.h"

namespace pare::eval {
namespace {

TEST(Evaluate, ScoresEverySampleOnceInOddBatches) {
  const CountingSplit split(iota(103), 4);
  FunctionExecutor model(4, [](std::int64_t x) { return x < 50 ? x % 4 : (x + 1) % 4; });
  std::int64_t last = 0;
  Control control;
  control.progress = [&](const ProgressEvent& event) { last = event.done; };
  const Metrics metrics = evaluate(model, split, nullptr, {.batch_size = 8}, control);
  EXPECT_EQ(metrics.samples, 103);
  EXPECT_NEAR(*metrics.top1, 100.0 * 50 / 103, 1e-9);
  EXPECT_EQ(last, 103);
}

TEST(Evaluate, FixedBatchIsFilledUpAndCutOff) {
  const CountingSplit split(iota(103), 4);
  std::int64_t seen = 0;
  FunctionExecutor model(4, [&](std::int64_t x) { return ++seen, x < 50 ? x % 4 : (x + 1) % 4; });
  const Metrics metrics = evaluate(model, split, &model, {.batch_size = 8, .fixed_batch = true}, {});
  EXPECT_EQ(metrics.samples, 103);
  EXPECT_EQ(seen, 2 * 104);
  EXPECT_NEAR(*metrics.top1, 100.0 * 50 / 103, 1e-9);
  EXPECT_DOUBLE_EQ(*metrics.agreement, 100);
}

TEST(Evaluate, LimitTakesTheFirstSamples) {
  const CountingSplit split(iota(100), 4);
  FunctionExecutor model(4, [](std::int64_t x) { return x < 10 ? x % 4 : (x + 1) % 4; });
  const Metrics metrics = evaluate(model, split, nullptr, {.batch_size = 8, .limit = 20}, {});
  EXPECT_EQ(metrics.samples, 20);
  EXPECT_DOUBLE_EQ(*metrics.top1, 50);
}

TEST(Evaluate, AgreementNeedsNoLabels) {
  const CountingSplit split(iota(40), 0);
  FunctionExecutor model(2, [](std::int64_t x) { return x % 2; }),
      reference(2, [](std::int64_t x) { return x < 10 ? 0 : x % 2; });
  const Metrics metrics = evaluate(model, split, &reference, {}, {});
  EXPECT_FALSE(metrics.top1);
  EXPECT_DOUBLE_EQ(*metrics.agreement, 100.0 * 35 / 40);
}

TEST(Evaluate, StopsWhenCancelled) {
  const CountingSplit split(iota(100), 4);
  FunctionExecutor model(4, [](std::int64_t x) { return x % 4; });
  std::atomic<int> cancel{0};
  Control control;
  control.cancel = &cancel;
  control.progress = [&](const ProgressEvent&) { cancel = 130; };
  try {
    evaluate(model, split, nullptr, {.batch_size = 8}, control);
    FAIL() << "was not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInterrupted);
  }
  EXPECT_EQ(model.runs, 1);
}

TEST(Evaluate, LabelsBeyondTheOutputAreRefused) {
  const CountingSplit split(iota(10), 5);
  FunctionExecutor model(4, [](std::int64_t) { return 0; });
  EXPECT_THROW(evaluate(model, split, nullptr, {}, {}), Error);
}

}  // namespace
}  // namespace pare::eval
