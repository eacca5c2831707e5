// Checkpoints of a run: the model after each finished step, and the trainer's state inside a step. Every file appears
// complete or not at all, so a run that is killed at any moment continues from the last one.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "exec/backend.h"
#include "ir/model.h"

namespace pare::compress {

class CheckpointStore {
 public:
  /// What a run is made of: name → hash ("recipe", "model", "data", "seed"). A checkpoint of another identity is
  /// refused.
  using Identity = std::map<std::string, std::string>;

  struct StepState {
    std::size_t steps_done = 0;
    ir::Model model;     ///< with masks
    nlohmann::json run;  ///< the run record so far
  };
  struct TrainingState {
    nlohmann::json loop;  ///< position and curve
    std::map<std::string, std::string> blobs;
  };

  /// Where a step has rounds that change the model's shape, each with a training of its own: one under way.
  struct RoundState {
    std::int64_t round = 0;  ///< from 1
    ir::Model model;         ///< as its training starts, with masks
    nlohmann::json record;   ///< what the rounds so far leave
  };

  /// `resume`: an existing checkpoint must have this identity, Error(kUsage) names what changed; otherwise what an
  /// earlier run left is removed. The folder is made at the first save.
  CheckpointStore(std::filesystem::path folder, Identity identity, const exec::ModelStore& store, bool resume);

  std::optional<StepState> load_step() const;
  /// Also drops the training state, which belonged to the step that is now done.
  void save_step(const StepState& state);

  /// Training state of the step under way (steps_done must be the same as when it was saved).
  std::optional<TrainingState> load_training() const;
  void save_training(const TrainingState& state);

  /// The round of the step under way (steps_done as above). Training states are those of this round.
  std::optional<RoundState> load_round() const;
  /// Also drops the training state of the round before.
  void save_round(const RoundState& state);

  const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  void refuse_changes(const nlohmann::json& saved) const;
  std::string model_file(std::size_t steps_done, std::int64_t round = 0) const;
  void drop_rounds(std::int64_t last);

  std::filesystem::path folder_;
  Identity identity_;
  const exec::ModelStore& store_;
  std::size_t steps_done_ = 0;
  std::int64_t round_ = 0;  ///< 0: none is under way
};

}  // namespace pare::compress
