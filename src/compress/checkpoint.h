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

  /// `resume`: an existing checkpoint must have this identity, Error(kUsage) names what changed; otherwise what an
  /// earlier run left is removed. The folder is made at the first save.
  CheckpointStore(std::filesystem::path folder, Identity identity, const exec::ModelStore& store, bool resume);

  std::optional<StepState> load_step() const;
  /// Also drops the training state, which belonged to the step that is now done.
  void save_step(const StepState& state);

  /// Training state of the step under way (steps_done must be the same as when it was saved).
  std::optional<TrainingState> load_training() const;
  void save_training(const TrainingState& state);

  const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  void refuse_changes(const nlohmann::json& saved) const;
  std::string model_file(std::size_t steps_done) const;

  std::filesystem::path folder_;
  Identity identity_;
  const exec::ModelStore& store_;
  std::size_t steps_done_ = 0;
};

}  // namespace pare::compress
