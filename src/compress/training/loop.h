// The training loop over exec::Trainer: epochs, learning-rate schedule, hooks, validation, checkpoints, progress.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compress/option.h"
#include "data/dataset.h"
#include "exec/trainer.h"
#include "pare/control.h"

namespace pare::compress {

class CheckpointStore;

struct LoopOptions {
  double epochs = 1;
  double learning_rate = 0.01;
  std::string schedule = "one-cycle";  ///< "one-cycle", "cosine", "step", "constant"
  double warmup = 0.1;                 ///< fraction of steps (one-cycle, cosine)
  std::vector<double> milestones;      ///< fractions of the steps at which "step" multiplies by `gamma`
  double gamma = 0.1;
  std::int64_t batch_size = 64;
  bool whole_batches = false;  ///< the model takes no other: the samples of val beyond them are left out of the curve
  std::int64_t limit = 0;      ///< training samples; 0: all
  bool augment = true;
  int workers = 1;
  bool keep_best = false;  ///< end with the weights of the best epoch on val (top-1, or loss without labels)
};

/// Called in order; any may be empty. `step` counts optimizer steps from 0, `total` is their number.
struct LoopHooks {
  std::function<void(exec::Trainer&, std::int64_t total)> on_start;
  std::function<void(exec::Trainer&, std::int64_t step, std::int64_t total)> on_step;  ///< before the step
  std::function<void(exec::Trainer&, std::int64_t epoch)> on_epoch;                    ///< after the epoch
  std::function<void(exec::Trainer&)> on_end;
  std::int64_t cycles = 1;  ///< equal parts of the steps, each with the whole learning-rate schedule
};

/// First step of cycle `cycle` (from 0) of `cycles`.
std::int64_t cycle_begin(std::int64_t cycle, std::int64_t cycles, std::int64_t total);

/// The options shared by every training step (epochs, lr, schedule, optimizer, loss, precision, distill …).
std::span<const Option> training_options();
LoopOptions loop_options(const nlohmann::json& resolved);
exec::TrainerOptions trainer_options(const nlohmann::json& resolved, int threads, std::uint64_t seed);

/// Learning rate before optimizer step `step` of `total`, of a schedule that runs `cycles` times.
double learning_rate_at(const LoopOptions& options, std::int64_t step, std::int64_t total, std::int64_t cycles = 1);

/// Number of optimizer steps of one epoch over `samples`: a last, smaller batch is dropped when there is a full one.
std::int64_t steps_per_epoch(const LoopOptions& options, std::int64_t samples);

/// Trains; returns the curve: [{epoch, step, lr, train_loss, train_top1, val_loss, val_top1, samples_per_s}].
/// Checkpoints at every epoch's end and on cancellation; continues from one bit-identically. Error(kDiverged) leaves
/// the last checkpoint. Epochs count from 1 in the curve.
nlohmann::json train(exec::Trainer& trainer, const data::Dataset& dataset, const LoopOptions& options,
                     const LoopHooks& hooks, std::uint64_t seed, CheckpointStore* checkpoints, const Control& control,
                     const std::string& stage);

}  // namespace pare::compress
