// Runs a recipe: statistics, method, evaluation, record and checkpoint for each step.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "compress/recipe.h"

namespace pare::compress {

struct PipelineInputs {
  const ir::Model& model;  ///< as loaded; simplify() is applied inside
  std::string model_path;  ///< for the record
  const data::Dataset& dataset;
  const Recipe& recipe;
  const exec::Backend& backend;
  const exec::TrainerProvider& trainer;
  const exec::ModelStore& store;
  ExecutionOptions execution;
  const Control& control;
  std::filesystem::path checkpoints;  ///< folder for checkpoints; empty: none
  bool resume = false;
  std::string command;         ///< the command line that reproduces the run, for the record
  nlohmann::json environment;  ///< machine, ISA, versions: filled by the caller
  double latency_seconds = 1;  ///< spent on measuring the latency of one model
};

struct PipelineResult {
  ir::Model model;
  nlohmann::json run;  ///< the content of run.json (schema: docs/json.md)
  bool gate_passed = true;
};

/// Throws Error; checkpoints written so far stay. Statistics from `train`, decisions on `val`, `test` only reported.
PipelineResult run_pipeline(const PipelineInputs& inputs);

/// What would be done, without doing it (`--dry-run`): steps with resolved options, targets, statistics and plug-in
/// needs.
nlohmann::json plan_pipeline(const PipelineInputs& inputs);

}  // namespace pare::compress
