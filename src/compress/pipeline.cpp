#include "compress/pipeline.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "base/file.h"
#include "base/hash.h"
#include "base/threads.h"
#include "compress/checkpoint.h"
#include "compress/provenance.h"
#include "compress/record.h"
#include "compress/statistics.h"
#include "compress/validate.h"
#include "eval/measure.h"
#include "ir/infer.h"
#include "ir/verify.h"
#include "pare/error.h"
#include "passes/pass.h"

namespace pare::compress {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

json split_size(const std::shared_ptr<const data::Split>& split) { return split ? json(split->size()) : json(nullptr); }

/// Keys of a step's record that say by `met` whether it kept what it was asked for.
constexpr const char* kPromises[] = {"budget", "accuracy"};

std::string fingerprint_of(const data::Dataset& dataset) {
  Hasher hasher;
  for (const auto& split : {dataset.train, dataset.val, dataset.test})
    hasher.add(split ? split->fingerprint() : "none");
  return hasher.hex();
}

/// Whether every step kept the budget and the drop that it was given.
bool budgets_met(const json& run) {
  const json& steps = run.at("steps");
  return std::all_of(steps.begin(), steps.end(), [](const json& step) {
    return std::all_of(std::begin(kPromises), std::end(kPromises), [&](const char* key) {
      return !step.contains(key) || step.at(key).at("met").get<bool>();
    });
  });
}

/// One run: what checkpoints carry is `model` and `state` (the record, the hashes of the models, the layers at the
/// start).
class Run {
 public:
  explicit Run(const PipelineInputs& inputs)
      : inputs_(inputs), original_(inputs.model), metric_(decisive_metric(inputs.dataset)) {
    passes::simplify(original_);
    if (!inputs.recipe.steps.empty()) expand_for(inputs.recipe.steps.front(), original_);
    validate_recipe(inputs, original_, true);
    const std::string model_hash = eval::content_hash(inputs.store, inputs.model);
    const std::string data = fingerprint_of(inputs.dataset);
    state_ = {
        {"run", header(model_hash, data)}, {"hashes", json::array()}, {"layers", json::array()}, {"seconds", 0.0}};
    if (inputs.checkpoints.empty()) return;
    CheckpointStore::Identity identity = {{"recipe", hash_hex(to_yaml(inputs.recipe))},
                                          {"model", model_hash},
                                          {"data", data},
                                          {"seed", std::to_string(inputs.execution.seed)}};
    for (const Step& step : inputs.recipe.steps)
      for (const std::string& path : step.method->files ? step.method->files(step.options) : std::vector<std::string>())
        identity["file '" + path + "'"] = hash_hex(read_file(path));
    checkpoints_.emplace(inputs.checkpoints, std::move(identity), inputs.store, inputs.resume);
  }

  PipelineResult finish() {
    start();
    const std::vector<Step>& steps = inputs_.recipe.steps;
    for (; done_ < steps.size();) run_step(steps[done_]);
    json& run = state_["run"];
    run["after"] = run["steps"].back().at("summary");
    if (steps.size() > 1) time_in_turns(original_, run["before"], model_, run["after"], inputs_);
    run["layers"] = join_layers(state_["layers"], state_["last_layers"]);
    run["gate"] = inputs_.recipe.max_drop ? gate_json(*inputs_.recipe.max_drop, run["before"], run["after"], metric_)
                                          : json(nullptr);
    run["seconds"] = state_["seconds"];
    for (const json& step : run["steps"])
      if (step.contains("trainer")) run["environment"]["trainer"] = step["trainer"];
    add_provenance(model_, run, state_["hashes"].get<std::vector<std::string>>(), inputs_.execution.seed);
    return {std::move(model_), run, budgets_met(run) && (run["gate"].is_null() || run["gate"].at("passed").get<bool>())};
  }

 private:
  json header(const std::string& model_hash, const std::string& data) const {
    json environment = inputs_.environment.is_object() ? inputs_.environment : json::object();
    environment["threads"] = resolve_threads(inputs_.execution.threads);
    if (!environment.contains("trainer")) environment["trainer"] = nullptr;
    const data::Dataset& dataset = inputs_.dataset;
    return {{"format", "pare-run"},
            {"version", 1},
            {"command", inputs_.command},
            {"started", now_utc()},
            {"model", {{"path", inputs_.model_path}, {"hash", model_hash}, {"name", inputs_.model.graph.name}}},
            {"data",
             {{"description", dataset.description},
              {"fingerprint", data},
              {"train", split_size(dataset.train)},
              {"val", split_size(dataset.val)},
              {"test", split_size(dataset.test)}}},
            {"recipe", to_yaml(inputs_.recipe)},
            {"environment", environment},
            {"seed", inputs_.execution.seed},
            {"metric", metric_},
            {"steps", json::array()},
            {"notes", json::array()},
            {"outputs", {{"model", "model.onnx"}, {"report", "report.html"}}}};
  }

  /// From the last checkpoint, or by measuring the original model.
  void start() {
    session_ = Clock::now();
    model_ = original_;
    if (auto saved = checkpoints_ && inputs_.resume ? checkpoints_->load_step() : std::nullopt) {
      model_ = std::move(saved->model);
      ir::infer_shapes(model_);
      done_ = saved->steps_done;
      const json command = state_["run"]["command"];
      state_ = std::move(saved->run);
      state_["run"]["command"] = command;
      seconds_before_ = state_["seconds"].get<double>();
      inputs_.control.info("resumed after " + std::to_string(done_) + " of " +
                           std::to_string(inputs_.recipe.steps.size()) + " steps");
      return;
    }
    inputs_.control.check_cancelled();
    Measured before = measure_model(original_, metric_ == "agreement" ? reference() : nullptr, inputs_, "original");
    state_["run"]["before"] = before.summary;
    state_["layers"] = state_["last_layers"] = before.layers;
    state_["hashes"].push_back(before.hash);
    checkpoint();
  }

  void run_step(const Step& step) {
    inputs_.control.check_cancelled();
    const auto begin = Clock::now();
    json record = {{"step", step.method->step},
                   {"method", step.method->name},
                   {"options", step.options},
                   {"curve", json::array()},
                   {"notes", json::array()}};
    StepContext context{step.options,    original_,         inputs_.dataset, inputs_.backend,
                        inputs_.trainer, inputs_.execution, inputs_.control, checkpoints_ ? &*checkpoints_ : nullptr,
                        record,          &inputs_.store};
    expand_for(step, model_);
    step.method->validate(model_, context);
    const ir::Model previous = model_;
    const auto gather = Clock::now();
    const std::vector<StatisticsRequest> needs = step.method->needs(model_, step.options);
    const Statistics statistics = gather_statistics(model_, needs, context);
    if (!needs.empty()) record["calibration_seconds"] = seconds_since(gather);
    step.method->apply(model_, statistics, context);
    ir::infer_shapes(model_);
    ir::require_valid(model_, "the model after " + std::string(step.method->step));
    const bool last = done_ + 1 == inputs_.recipe.steps.size();
    Measured after = measure_model(model_, last || metric_ == "agreement" ? reference() : nullptr, inputs_,
                                   "after " + std::string(step.method->step));
    json& run = state_["run"];
    json before = run["steps"].empty() ? run["before"] : run["steps"].back().at("summary");
    reference_.reset();  // its packed weights would stand beside those of the two that are timed
    time_in_turns(previous, before, model_, after.summary, inputs_);
    if (run["steps"].empty()) run["before"]["latency"] = before["latency"];
    record["seconds"] = seconds_since(begin);
    record["summary"] = after.summary;
    record["latency_before"] = before["latency"];
    judge_step(record, before, after.summary, metric_);
    for (const json& note : record["notes"])
      inputs_.control.warn(std::string(step.method->step) + ": " + note.get<std::string>());
    run["steps"].push_back(std::move(record));
    state_["last_layers"] = after.layers;
    state_["hashes"].push_back(after.hash);
    ++done_;
    checkpoint();
  }

  /// Writes the state and goes on from what was written, so that a resumed run takes the very same way.
  void checkpoint() {
    state_["seconds"] = seconds_before_ + seconds_since(session_);
    if (!checkpoints_) return;
    checkpoints_->save_step({done_, model_, state_});
    model_ = checkpoints_->load_step()->model;
    ir::infer_shapes(model_);
  }

  exec::Executor* reference() {
    if (!reference_)
      reference_ = inputs_.backend.compile(original_, {.threads = resolve_threads(inputs_.execution.threads),
                                                       .max_memory = inputs_.execution.max_memory});
    return reference_.get();
  }

  const PipelineInputs& inputs_;
  ir::Model original_, model_;
  std::string metric_;
  std::optional<CheckpointStore> checkpoints_;
  std::unique_ptr<exec::Executor> reference_;
  json state_;
  std::size_t done_ = 0;
  double seconds_before_ = 0;
  Clock::time_point session_;
};

}  // namespace

PipelineResult run_pipeline(const PipelineInputs& inputs) {
  ThreadScope threads(resolve_threads(inputs.execution.threads));
  return Run(inputs).finish();
}

json plan_pipeline(const PipelineInputs& inputs) {
  ir::Model model = inputs.model;
  passes::simplify(model);
  if (!inputs.recipe.steps.empty()) expand_for(inputs.recipe.steps.front(), model);
  validate_recipe(inputs, model, false);
  json steps = json::array();
  for (const Step& step : inputs.recipe.steps) {
    json statistics = json::array();
    for (const StatisticsRequest& request : step.method->needs(model, step.options))
      statistics.push_back({{"kind", request.kind}, {"samples", request.samples}, {"values", request.values}});
    steps.push_back(
        {{"step", step.method->step},
         {"method", step.method->name},
         {"summary", step.method->summary},
         {"options", step.options},
         {"targets", step.method->targets ? json(step.method->targets(model, step.options)) : json(nullptr)},
         {"statistics", statistics},
         {"needs_training", step.method->needs_gradients(step.options)}});
  }
  return {{"model", inputs.model_path},
          {"data", inputs.dataset.description},
          {"metric", decisive_metric(inputs.dataset)},
          {"steps", steps},
          {"recipe", to_yaml(inputs.recipe)},
          {"gate", inputs.recipe.max_drop ? json{{"max_drop", *inputs.recipe.max_drop}} : json(nullptr)}};
}

}  // namespace pare::compress
