// The main job: run a recipe on a model, prove what was gained, and write the results.
#pragma once

#include <string>
#include <vector>

#include "pare/control.h"
#include "pare/dataset.h"
#include "pare/model.h"
#include "pare/recipe.h"

namespace pare {

/// Where results go. All empty: nowhere, and nothing is checkpointed.
struct Outputs {
  std::string directory;  ///< gets model.onnx, run.json, report.html, recipe.yaml, checkpoints/
  std::string file;       ///< or: gets the model alone; checkpoints lie in `<file>.checkpoints/` until the end
  std::string report;     ///< with `file`: a folder that gets run.json, report.html, recipe.yaml
};

struct CompressOptions {
  ExecutionOptions execution;
  Control control;
  bool resume = false;  ///< continue from the checkpoints of an interrupted run of the same model, data and recipe
  bool force = false;   ///< replace existing results
  std::string command;  ///< the command line that reproduces the run, for the record
};

struct CompressResult {
  Model model;
  std::string run_json;              ///< the run record (docs/json.md)
  bool gate_passed = true;           ///< false: results were written, but the recipe's gate or a step's budget was missed
  std::vector<std::string> written;  ///< paths
};

/// Existing results are refused before any work (Error(kUsage)); new ones appear together at the end. On an error of
/// the request, the inputs or of what is supported (codes 2–4) nothing is left behind; on any other, or when cancelled,
/// only the checkpoints that `resume` continues from. Throws Error(kUnsupported) when a step needs the training plug-in
/// and there is none.
CompressResult compress_model(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
                              const CompressOptions& options = {});

/// What compress_model() would do, as JSON; checks all that can be checked before work, and writes nothing.
std::string plan_compression(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
                             const CompressOptions& options = {});

}  // namespace pare
