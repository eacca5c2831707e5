#include "pare/compress.h"

#include <chrono>
#include <new>

#include "api/machine.h"
#include "api/model_impl.h"
#include "api/outputs.h"
#include "api/plugin.h"
#include "base/threads.h"
#include "compress/pipeline.h"
#include "eval/measure.h"
#include "pack/pare_file.h"
#include "pare/error.h"
#include "report/report.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

/// Names the steps that need the plug-in, for the error when there is none.
std::string gradient_steps(const compress::Recipe& recipe) {
  std::string names;
  for (const compress::Step& step : recipe.steps) {
    if (!step.method->needs_gradients || !step.method->needs_gradients(step.options)) continue;
    names += (names.empty() ? "" : ", ") + std::string(step.method->step);
  }
  return names.empty() ? "this run" : names;
}

/// The result refers to all arguments.
compress::PipelineInputs inputs_for(const Model& model, const Dataset& data, const Recipe& recipe,
                                    const api::OutputGuard& guard, const CompressOptions& options,
                                    const exec::TrainerProvider& trainer) {
  const ExecutionOptions execution{resolve_threads(options.execution.threads), options.execution.seed,
                                   options.execution.max_memory};
  return {model.impl().model,
          model.path(),
          data.impl().dataset,
          recipe.impl().recipe,
          runtime::backend(),
          trainer,
          pack::store(),
          execution,
          options.control,
          guard.checkpoints(),
          options.resume,
          options.command,
          api::environment(execution.threads)};
}

void require_plugin(const compress::Recipe& recipe) {
  for (const compress::Step& step : recipe.steps) {
    if (step.method->needs_gradients && step.method->needs_gradients(step.options)) {
      api::load_train_plugin(gradient_steps(recipe));
      return;
    }
  }
}

CompressResult run_job(const compress::PipelineInputs& inputs, api::OutputGuard& guard, const Recipe& recipe,
                       const Outputs& outputs) {
  compress::PipelineResult run = compress::run_pipeline(inputs);
  if (!outputs.file.empty()) {
    const bool reported = !outputs.report.empty();
    run.run["outputs"] = {{"model", outputs.file},
                          {"report", reported ? nlohmann::json("report.html") : nlohmann::json()}};
  }
  const eval::FileCost file = eval::file_cost(inputs.store, run.model);  // provenance included, which comes last
  run.run["after"]["file_bytes"] = file.bytes;
  run.run["after"]["gzip_bytes"] = file.gzip_bytes;
  const std::string record = run.run.dump(2) + "\n";
  guard.commit(inputs.store, run.model, record, report::render_html(record), recipe.to_yaml());
  return {api::wrap(std::move(run.model), {}), record, run.gate_passed, guard.targets()};
}

}  // namespace

CompressResult compress_model(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
                              const CompressOptions& options) {
  api::OutputGuard guard(outputs, options.resume, options.force);
  api::require_finite(model);
  require_plugin(recipe.impl().recipe);
  const exec::TrainerProvider trainer = api::trainer_provider(gradient_steps(recipe.impl().recipe));
  const compress::PipelineInputs inputs = inputs_for(model, data, recipe, guard, options, trainer);
  const ThreadScope threads(inputs.execution.threads);
  try {
    guard.open();
    return run_job(inputs, guard, recipe, outputs);
  } catch (const Error& error) {
    guard.abandon(error.code());
    throw;
  } catch (const std::bad_alloc&) {
    guard.abandon(ErrorCode::kMemory);
    throw;
  } catch (...) {
    guard.abandon(ErrorCode::kInternal);
    throw;
  }
}

std::string plan_compression(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
                             const CompressOptions& options) {
  const api::OutputGuard guard(outputs, options.resume, options.force);
  api::require_finite(model);
  const exec::TrainerProvider trainer = api::trainer_provider(gradient_steps(recipe.impl().recipe));
  const compress::PipelineInputs inputs = inputs_for(model, data, recipe, guard, options, trainer);
  nlohmann::json plan = compress::plan_pipeline(inputs);
  plan["dry_run"] = true;
  plan["writes"] = guard.targets();
  return plan.dump(2) + "\n";
}

}  // namespace pare
