#include "compress/training/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/rng.h"
#include "compress/checkpoint.h"
#include "data/loader.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Sums over the samples seen; exact across a checkpoint, as JSON keeps doubles to the last bit.
struct Tally {
  double loss = 0;
  std::int64_t correct = 0, samples = 0;

  void add(const exec::StepResult& result) {
    loss += result.loss * static_cast<double>(result.samples);
    correct += result.correct;
    samples += result.samples;
  }
  double mean_loss() const { return samples ? loss / static_cast<double>(samples) : 0; }
  double top1() const { return samples ? 100.0 * static_cast<double>(correct) / static_cast<double>(samples) : 0; }
};

std::shared_ptr<const data::Split> limited(const std::shared_ptr<const data::Split>& split, std::int64_t limit,
                                           std::uint64_t seed) {
  if (limit <= 0 || limit >= split->size()) return split;
  std::vector<std::int64_t> indices = Rng(seed, kRngMethod).permutation(split->size());
  indices.resize(static_cast<std::size_t>(limit));
  std::sort(indices.begin(), indices.end());
  return split->subset(std::move(indices));
}

class Loop {
 public:
  Loop(exec::Trainer& trainer, const data::Dataset& dataset, const LoopOptions& options, const LoopHooks& hooks,
       std::uint64_t seed, CheckpointStore* checkpoints, const Control& control, const std::string& stage)
      : trainer_(trainer),
        options_(options),
        hooks_(hooks),
        checkpoints_(checkpoints),
        control_(control),
        stage_(stage),
        train_(limited(dataset.train, options.limit, seed)),
        val_(dataset.val),
        loader_(train_, loader_options(options, *train_, seed)),
        per_epoch_(loader_.batches()),
        total_(std::llround(options.epochs * static_cast<double>(per_epoch_))) {}

  json run() {
    if (hooks_.on_start) hooks_.on_start(trainer_, total_);
    resume();
    started_ = Clock::now();
    first_step_ = step_;
    while (step_ < total_ || batch_ > 0) {
      train_epoch();
      validate();
      ++epoch_;
      batch_ = 0;
      tally_ = {};
      save();
      if (hooks_.on_epoch) hooks_.on_epoch(trainer_, epoch_);
    }
    if (!best_state_.empty()) trainer_.load_state(best_state_);
    if (hooks_.on_end) hooks_.on_end(trainer_);
    return curve_;
  }

 private:
  static data::LoaderOptions loader_options(const LoopOptions& options, const data::Split& split, std::uint64_t seed) {
    return {.batch_size = options.batch_size,
            .shuffle = true,
            .augment = options.augment,
            .drop_last = split.size() >= options.batch_size,
            .workers = options.workers,
            .seed = seed};
  }

  bool cancelled() const { return control_.cancel && control_.cancel->load() != 0; }

  /// Stops at a point that a resumed run can continue from.
  void stop_if_cancelled() {
    if (!cancelled()) return;
    save();
    control_.check_cancelled();
  }

  void train_epoch() {
    const std::int64_t end = std::min(total_, (epoch_ + 1) * per_epoch_);
    loader_.start(epoch_, batch_);
    const auto start = Clock::now();
    const std::int64_t before = tally_.samples;
    while (step_ < end) {
      stop_if_cancelled();
      std::optional<data::Batch> batch = loader_.next();
      if (!batch) throw Error(ErrorCode::kInternal, stage_, "the loader ended before the epoch did");
      if (hooks_.on_step) hooks_.on_step(trainer_, step_, total_);
      rate_ = learning_rate_at(options_, step_, total_, hooks_.cycles);
      tally_.add(one_step(*batch));
      ++step_;
      ++batch_;
      double elapsed = seconds_since(start);
      speed_ = elapsed > 0 ? static_cast<double>(tally_.samples - before) / elapsed : 0;
      report(step_ == end);
    }
  }

  exec::StepResult one_step(const data::Batch& batch) {
    try {
      return trainer_.step(batch, rate_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kDiverged) throw;
      throw Error(ErrorCode::kDiverged, stage_,
                  "training diverged at step " + std::to_string(step_ + 1) + " of " + std::to_string(total_) + ": " +
                      error.what() + "; a lower lr or clip_norm may help");
    }
  }

  void validate() {
    json point = {
        {"epoch", epoch_ + 1},   {"step", step_},       {"lr", rate_},         {"train_loss", tally_.mean_loss()},
        {"train_top1", nullptr}, {"val_loss", nullptr}, {"val_top1", nullptr}, {"samples_per_s", speed_}};
    if (train_->labelled()) point["train_top1"] = tally_.top1();
    if (val_ && val_->size() > 0) {
      Tally seen = measure_val();
      point["val_loss"] = seen.mean_loss();
      if (val_->labelled()) point["val_top1"] = seen.top1();
      keep_if_best(val_->labelled() ? seen.top1() : -seen.mean_loss());
    }
    curve_.push_back(std::move(point));
  }

  Tally measure_val() {
    Tally seen;
    data::Loader loader(val_, {.batch_size = options_.batch_size,
                               .drop_last = options_.whole_batches && val_->size() >= options_.batch_size,
                               .workers = options_.workers});
    loader.start(0);
    while (std::optional<data::Batch> batch = loader.next()) {
      stop_if_cancelled();
      seen.add(trainer_.evaluate(*batch));
    }
    return seen;
  }

  void keep_if_best(double score) {
    if (!options_.keep_best || (has_best_ && !(score > best_score_))) return;
    has_best_ = true;
    best_score_ = score;
    best_state_ = trainer_.save_state();
  }

  void report(bool now) {
    if (!control_.progress || (!now && seconds_since(reported_) < kReportInterval)) return;
    reported_ = Clock::now();
    ProgressEvent event{stage_ + " epoch " + std::to_string(epoch_ + 1) + "/" +
                            std::to_string(static_cast<std::int64_t>(std::ceil(options_.epochs))),
                        step_,
                        total_,
                        "steps",
                        {{"loss", tally_.mean_loss()}},
                        -1};
    if (train_->labelled()) event.values.emplace_back("top1", tally_.top1());
    event.values.emplace_back("samples/s", speed_);
    if (step_ > first_step_)
      event.eta_s =
          seconds_since(started_) / static_cast<double>(step_ - first_step_) * static_cast<double>(total_ - step_);
    control_.report(event);
  }

  void save() {
    if (!checkpoints_) return;
    json loop = {{"stage", stage_}, {"epoch", epoch_},     {"batch", batch_},           {"step", step_},
                 {"total", total_}, {"loss", tally_.loss}, {"correct", tally_.correct}, {"samples", tally_.samples},
                 {"curve", curve_}, {"rate", rate_},       {"has_best", has_best_},     {"best_score", best_score_}};
    std::map<std::string, std::string> blobs = {{"trainer", trainer_.save_state()}};
    if (has_best_) blobs["best"] = best_state_;
    checkpoints_->save_training({std::move(loop), std::move(blobs)});
  }

  void resume() {
    if (!checkpoints_) return;
    auto state = checkpoints_->load_training();
    if (!state) return;
    const json& loop = state->loop;
    if (loop.at("total") != total_ || loop.at("stage") != stage_)
      throw Error(ErrorCode::kUsage, checkpoints_->folder().string(),
                  "cannot resume: the checkpoint is of another training run");
    epoch_ = loop.at("epoch");
    batch_ = loop.at("batch");
    step_ = loop.at("step");
    tally_ = {loop.at("loss"), loop.at("correct"), loop.at("samples")};
    curve_ = loop.at("curve");
    rate_ = loop.at("rate");
    has_best_ = loop.at("has_best");
    best_score_ = loop.at("best_score");
    if (has_best_) best_state_ = state->blobs.at("best");
    trainer_.load_state(state->blobs.at("trainer"));
    control_.info(stage_ + ": resumed after step " + std::to_string(step_) + " of " + std::to_string(total_));
  }

  static constexpr double kReportInterval = 0.1;

  exec::Trainer& trainer_;
  const LoopOptions& options_;
  const LoopHooks& hooks_;
  CheckpointStore* checkpoints_;
  const Control& control_;
  std::string stage_;
  std::shared_ptr<const data::Split> train_, val_;
  data::Loader loader_;
  std::int64_t per_epoch_, total_;
  std::int64_t epoch_ = 0, batch_ = 0, step_ = 0, first_step_ = 0;
  Tally tally_;
  double rate_ = 0, speed_ = 0, best_score_ = 0;
  bool has_best_ = false;
  std::string best_state_;
  json curve_ = json::array();
  Clock::time_point started_, reported_{};
};

}  // namespace

std::int64_t steps_per_epoch(const LoopOptions& options, std::int64_t samples) {
  if (options.limit > 0) samples = std::min(samples, options.limit);
  return samples >= options.batch_size ? samples / options.batch_size : (samples > 0 ? 1 : 0);
}

json train(exec::Trainer& trainer, const data::Dataset& dataset, const LoopOptions& options, const LoopHooks& hooks,
           std::uint64_t seed, CheckpointStore* checkpoints, const Control& control, const std::string& stage) {
  if (!dataset.train || dataset.train->size() == 0)
    throw Error(ErrorCode::kUsage, "data: train", "training needs a train split");
  return Loop(trainer, dataset, options, hooks, seed, checkpoints, control, stage).run();
}

}  // namespace pare::compress
