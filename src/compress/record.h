// Figures of run.json (docs/json.md).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "compress/pipeline.h"
#include "eval/metrics.h"

namespace pare::compress {

nlohmann::json to_json(const eval::Metrics& metrics);

/// A model measured: its summary, and the cost of its layers.
struct Measured {
  nlohmann::json summary;  ///< SUMMARY
  nlohmann::json layers;   ///< [{"node", "op_type", "weight", "dims", "cost": LAYER}]
  std::string hash;        ///< of the serialized model
};

/// Measures the latency of two models in turns and replaces it in their summaries: what was measured at another time
/// cannot be compared on a machine with other work to do.
void time_in_turns(const ir::Model& before, nlohmann::json& before_summary, const ir::Model& after,
                   nlohmann::json& after_summary, const PipelineInputs& inputs);

/// Quality on val and test (against `reference` when given), latency at the inputs' threads and batch 1, bytes, peak
/// memory. Everything is measured on the backend, which runs quantized models by integers.
Measured measure_model(const ir::Model& model, exec::Executor* reference, const PipelineInputs& inputs,
                       const std::string& stage);

/// "layers" of run.json: Measured::layers of the same nodes before and after.
nlohmann::json join_layers(const nlohmann::json& before, const nlohmann::json& after);

/// Fills "paid" and "notes" of a step's record from the summaries around it: what got better by 2 % and more, and what
/// did not although one might expect it.
void judge_step(nlohmann::json& step, const nlohmann::json& before, const nlohmann::json& after,
                const std::string& metric);

/// "top1"; "r2" for a regression; "agreement" where the split that decides has neither labels nor targets.
std::string decisive_metric(const data::Dataset& dataset);

/// The metric that decides, of METRICS on val. Error(kUsage) naming `subject` where there is none.
double decisive_value(const nlohmann::json& metrics, const std::string& metric, const std::string& subject);

/// The gate of run.json for a drop on val.
nlohmann::json gate_json(double max_drop, const nlohmann::json& before, const nlohmann::json& after,
                         const std::string& metric);

}  // namespace pare::compress
