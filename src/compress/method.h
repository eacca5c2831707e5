// A compression method: one file and one row in methods.inc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/option.h"
#include "data/dataset.h"
#include "exec/backend.h"
#include "exec/trainer.h"
#include "ir/model.h"
#include "pare/control.h"

namespace pare::compress {

class Statistics;       // statistics.h: what streaming requests produced, by value name
class CheckpointStore;  // checkpoint.h

/// Everything a step may use. All references outlive the call.
struct StepContext {
  const nlohmann::json& options;  ///< resolved
  const ir::Model& original;      ///< before the first step: the teacher and the reference
  const data::Dataset& dataset;
  const exec::Backend& backend;
  const exec::TrainerProvider& trainer;
  ExecutionOptions execution;
  const Control& control;
  CheckpointStore* checkpoints = nullptr;   ///< null: do not checkpoint
  nlohmann::json& record;                   ///< the step's object in run.json: methods add what they did
  const exec::ModelStore* store = nullptr;  ///< reads further models that the options name
};

/// A request for one streaming pass over calibration data, merged over methods.
struct StatisticsRequest {
  std::vector<std::string> values;  ///< value names to observe
  std::string kind = "range";       ///< "range", "histogram" (which includes the range)
  std::int64_t samples = 512;
};

struct Method {
  std::string_view step;  ///< recipe key and CLI shorthand: "prune", "quantize", "finetune"
  std::string_view name;  ///< value of `method:`; "" when the step has a single method
  std::string_view summary, paper;
  std::span<const Option> (*options)();
  /// Needs the train plug-in with these options.
  bool (*needs_gradients)(const nlohmann::json& options);
  /// Streaming statistics to gather before apply(); empty when none.
  std::vector<StatisticsRequest> (*needs)(const ir::Model&, const nlohmann::json& options);
  /// Faults that can be seen before any work: Error(kUsage/kBadInput/kUnsupported).
  void (*validate)(const ir::Model&, const StepContext&);
  void (*apply)(ir::Model&, const Statistics&, StepContext&);
  bool needs_floats = true;  ///< needs float weights: cannot follow a step that makes integers
  bool makes_integers = false;
  /// Names of the layers that the step would change, for --dry-run; null: all parameters.
  std::vector<std::string> (*targets)(const ir::Model&, const nlohmann::json& options) = nullptr;
  /// Paths of further files that the step reads; their content is part of what a checkpoint is checked against.
  std::vector<std::string> (*files)(const nlohmann::json& options) = nullptr;
};

/// All rows of methods.inc.
std::span<const Method* const> methods();
/// The row of a step; an empty name is its first row. Error(kUsage) with a suggestion when unknown, naming `subject`
/// (the step when empty).
const Method& find_method(std::string_view step, std::string_view name, const std::string& subject = {});

}  // namespace pare::compress
