#include "compress/training/loop.h"

#include <gtest/gtest.h>

#include "compress/checkpoint.h"
#include "fakes.h"

namespace pare::compress {
namespace {

LoopOptions schedule(const std::string& name) {
  return {.learning_rate = 1, .schedule = name, .warmup = 0.2, .milestones = {0.5, 0.8}, .gamma = 0.1};
}

TEST(Schedule, Values) {
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("constant"), 50, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("step"), 49, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("step"), 50, 100), 0.1);
  EXPECT_NEAR(learning_rate_at(schedule("step"), 80, 100), 0.01, 1e-15);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("cosine"), 0, 100), 0.05);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("cosine"), 20, 100), 1);
  EXPECT_NEAR(learning_rate_at(schedule("cosine"), 60, 100), 0.5, 1e-12);
  EXPECT_NEAR(learning_rate_at(schedule("one-cycle"), 0, 101), 1 / 25.0, 1e-12);
  EXPECT_NEAR(learning_rate_at(schedule("one-cycle"), 10, 101), 0.52, 1e-12);  // half way from 1/25 to 1
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule("one-cycle"), 20, 101), 1);
  EXPECT_NEAR(learning_rate_at(schedule("one-cycle"), 100, 101), 4e-6, 1e-12);
  EXPECT_GT(learning_rate_at(schedule("one-cycle"), 0, 1), 0);
}

struct Training {
  ir::Model model = residual_model();
  data::Dataset dataset = image_data();
  LoopOptions options{.epochs = 2.5, .batch_size = 16};  // 40 samples: 2 full batches, 5 steps in all
  Control control;
  std::atomic<int> cancel = 0;

  nlohmann::json run(FakeTrainer& trainer, const LoopHooks& hooks = {}, CheckpointStore* checkpoints = nullptr) {
    return train(trainer, dataset, options, hooks, 11, checkpoints, control, "finetune");
  }
};

TEST(Loop, CountsStepsAndCallsHooksInOrder) {
  Training training;
  FakeTrainer trainer(training.model);
  std::string calls;
  LoopHooks hooks;
  hooks.on_start = [&](exec::Trainer&, std::int64_t total) { calls += "S" + std::to_string(total); };
  hooks.on_step = [&](exec::Trainer&, std::int64_t step, std::int64_t) { calls += std::to_string(step); };
  hooks.on_epoch = [&](exec::Trainer&, std::int64_t epoch) { calls += "e" + std::to_string(epoch); };
  hooks.on_end = [&](exec::Trainer&) { calls += "E"; };
  nlohmann::json curve = training.run(trainer, hooks);
  EXPECT_EQ(calls, "S501e123e24e3E");
  ASSERT_EQ(curve.size(), 3u);
  EXPECT_EQ(curve[2]["step"], 5);
  EXPECT_EQ(curve[0]["val_top1"], 50.0);
}

TEST(Loop, ReportsProgressWithEta) {
  Training training;
  std::vector<ProgressEvent> events;
  training.control.progress = [&](const ProgressEvent& event) { events.push_back(event); };
  FakeTrainer trainer(training.model);
  training.run(trainer);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().done, 5);
  EXPECT_EQ(events.back().total, 5);
  EXPECT_EQ(events.back().values[0].first, "loss");
  EXPECT_GE(events.back().eta_s, 0);
}

TEST(Loop, CancelledAnywhereResumesBitIdentically) {
  Training whole;
  FakeTrainer reference(whole.model);
  nlohmann::json expected = whole.run(reference);
  for (std::int64_t stop = 0; stop < 5; ++stop) {
    World world("loop");
    Training training;
    training.control.cancel = &training.cancel;
    CheckpointStore checkpoints(world.folder, {{"recipe", "a"}}, world.store, false);
    FakeTrainer first(training.model);
    LoopHooks hooks;
    hooks.on_step = [&](exec::Trainer&, std::int64_t step, std::int64_t) {
      if (step == stop) training.cancel = 130;
    };
    EXPECT_EQ(error_of([&] { training.run(first, hooks, &checkpoints); }).code(), ErrorCode::kInterrupted);
    training.cancel = 0;
    CheckpointStore again(world.folder, {{"recipe", "a"}}, world.store, true);
    FakeTrainer second(training.model);
    nlohmann::json curve = training.run(second, {}, &again);
    for (const std::string& name : reference.parameters())
      EXPECT_TRUE(second.parameter(name).identical(reference.parameter(name))) << stop;
    for (std::size_t i = 0; i < expected.size(); ++i)
      for (const char* key : {"epoch", "step", "lr", "train_loss", "train_top1", "val_loss"})
        EXPECT_EQ(curve[i][key], expected[i][key]) << stop << key;
  }
}

TEST(Loop, DivergenceLeavesTheLastCheckpoint) {
  World world("diverge");
  Training training;
  CheckpointStore checkpoints(world.folder, {}, world.store, false);
  FakeTrainer trainer(training.model);
  trainer.diverge_at = 3;
  Error error = error_of([&] { training.run(trainer, {}, &checkpoints); });
  EXPECT_EQ(error.code(), ErrorCode::kDiverged);
  EXPECT_NE(std::string(error.what()).find("step 4 of 5"), std::string::npos) << error.what();
  ASSERT_TRUE(checkpoints.load_training());
  EXPECT_EQ(checkpoints.load_training()->loop["step"], 2);
}

TEST(Loop, KeepBestEndsWithTheBestEpoch) {
  Training training;
  training.options.epochs = 3;
  training.options.keep_best = true;
  FakeTrainer trainer(training.model);
  trainer.scores = {0.5, 0.5, 0.9, 0.9, 0.2, 0.2};  // two val batches an epoch
  std::string second;
  LoopHooks hooks;
  hooks.on_epoch = [&](exec::Trainer& t, std::int64_t epoch) {
    if (epoch == 2) second = t.save_state();
  };
  training.run(trainer, hooks);
  EXPECT_EQ(trainer.save_state(), second);
}

TEST(Loop, LimitUsesFewerSamples) {
  Training training;
  training.options = {.epochs = 1, .batch_size = 4, .limit = 12};
  FakeTrainer trainer(training.model);
  training.run(trainer);
  EXPECT_EQ(trainer.rates.size(), 3u);
  EXPECT_EQ(steps_per_epoch(training.options, 40), 3);
}

}  // namespace
}  // namespace pare::compress
