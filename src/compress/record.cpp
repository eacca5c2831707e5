#include "compress/record.h"

#include <cstdio>
#include <map>

#include "base/threads.h"
#include "compress/statistics.h"
#include "eval/evaluate.h"
#include "eval/measure.h"
#include "eval/turns.h"
#include "ir/infer.h"
#include "ir/judged.h"
#include "pare/error.h"
#include "passes/rewrite.h"

namespace pare::compress {
namespace {

using nlohmann::json;

template <class T>
json optional_json(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json interval_json(const std::optional<eval::Interval>& interval) {
  return interval ? json::array({interval->low, interval->high}) : json(nullptr);
}

json quality(const ir::Model& model, exec::Executor& executor, exec::Executor* reference,
             const std::shared_ptr<const data::Split>& split, const PipelineInputs& inputs, const std::string& stage) {
  if (!split || split->size() == 0) return nullptr;
  eval::EvaluateOptions options{.batch_size = forward_batch(model, 32), .stage = stage};
  options.fixed_batch = fixed_batch(model) > 1;
  options.output = options.reference_output =
      model.graph.value(ir::judged_output(model.graph, inputs.dataset.output)).name;
  return to_json(eval::evaluate(executor, *split, reference, options, inputs.control));
}

json layer_json(const eval::LayerCost& layer) {
  return {
      {"parameters", layer.parameters}, {"macs", layer.macs},
      {"bytes", layer.bytes},           {"bits", layer.bits},
      {"sparsity", layer.sparsity},     {"pattern", layer.pattern},
      {"kernel", layer.kernel},         {"latency_ms", layer.latency_ms < 0 ? json(nullptr) : json(layer.latency_ms)}};
}

/// Whether a layer that became smaller became faster, by at least 2 %; null where it is as it was or was not timed.
json layer_paid(const json& before, const json& after) {
  if (!after.is_object() || before.at("latency_ms").is_null() || after.at("latency_ms").is_null()) return nullptr;
  const auto less = [&](const char* key) { return after.at(key).get<double>() < before.at(key).get<double>(); };
  const bool sparser = after.at("sparsity").get<double>() > before.at("sparsity").get<double>() + 0.01;
  if (!less("macs") && !less("bytes") && !less("bits") && !sparser) return nullptr;
  return after.at("latency_ms").get<double>() <= 0.98 * before.at("latency_ms").get<double>();
}

std::string percent(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * ratio);
  return text;
}

json latency_json(const eval::Latency& latency, const ir::Model& model, int threads) {
  return {{"median_ms", latency.median_ms},
          {"p90_ms", latency.p90_ms},
          {"threads", threads},
          {"batch", forward_batch(model, 1)}};
}

double at(const json& summary, const char* group, const char* key) { return summary.at(group).at(key).get<double>(); }

}  // namespace

json to_json(const eval::Metrics& metrics) {
  return {{"samples", metrics.samples},
          {"top1", optional_json(metrics.top1)},
          {"top1_interval", interval_json(metrics.top1_interval)},
          {"top5", optional_json(metrics.top5)},
          {"loss", optional_json(metrics.loss)},
          {"agreement", optional_json(metrics.agreement)},
          {"agreement_interval", interval_json(metrics.agreement_interval)},
          {"mse", optional_json(metrics.mse)},
          {"mae", optional_json(metrics.mae)},
          {"r2", optional_json(metrics.r2)},
          {"snr_db", optional_json(metrics.snr_db)}};
}

Measured measure_model(const ir::Model& model, exec::Executor* reference, const PipelineInputs& inputs,
                       const std::string& stage) {
  const int threads = resolve_threads(inputs.execution.threads);
  auto executor = inputs.backend.compile(model, {.threads = threads, .max_memory = inputs.execution.max_memory});
  Measured measured;
  const eval::FileCost file = eval::file_cost(inputs.store, model);
  measured.hash = file.hash;
  json& summary = measured.summary;
  summary["val"] = quality(model, *executor, reference, inputs.dataset.val, inputs, stage + ": val");
  summary["test"] = quality(model, *executor, reference, inputs.dataset.test, inputs, stage + ": test");
  const auto shapes = measured_shapes(model, inputs.dataset);
  const NamedTensors sample = eval::random_inputs(model, shapes, inputs.execution.seed);
  inputs.control.check_cancelled();
  summary["latency"] =
      latency_json(eval::measure_latency(*executor, sample, {.seconds = inputs.latency_seconds}), model, threads);
  ir::Model plain = model;  // layers and weights are found in QDQ form
  if (passes::expand_nodes(plain, true) > 0) ir::infer_shapes(plain);
  eval::ModelCost cost = eval::model_cost(plain, shapes);
  eval::add_layer_latency(cost, *executor, sample, 5);
  measured.layers = json::array();
  for (const eval::LayerCost& layer : cost.layers)
    measured.layers.push_back({{"node", layer.node},
                               {"op_type", layer.op_type},
                               {"weight", layer.weight},
                               {"dims", layer.weight_dims},
                               {"cost", layer_json(layer)}});
  summary["file_bytes"] = file.bytes;
  summary["gzip_bytes"] = file.gzip_bytes;
  summary["parameters"] = cost.parameters;
  summary["nonzero_parameters"] = cost.nonzero_parameters;
  summary["macs"] = cost.macs;
  const exec::MemoryUse memory = executor->memory(shapes);
  summary["peak_memory_bytes"] = memory.weights + memory.arena;
  return measured;
}

void time_in_turns(const ir::Model& before, json& before_summary, const ir::Model& after, json& after_summary,
                   const PipelineInputs& inputs) {
  const exec::CompileOptions options{.threads = resolve_threads(inputs.execution.threads),
                                     .max_memory = inputs.execution.max_memory};
  const auto inputs_of = [&](const ir::Model& model) {
    return eval::random_inputs(model, measured_shapes(model, inputs.dataset), inputs.execution.seed);
  };
  const auto first = inputs.backend.compile(before, options), second = inputs.backend.compile(after, options);
  const eval::Contestant contestants[] = {{first.get(), inputs_of(before)}, {second.get(), inputs_of(after)}};
  const std::vector<eval::Latency> latencies = eval::measure_in_turns(
      contestants, {.seconds = inputs.latency_seconds}, [&](double) { inputs.control.check_cancelled(); });
  before_summary["latency"] = latency_json(latencies[0], before, options.threads);
  after_summary["latency"] = latency_json(latencies[1], after, options.threads);
}

json join_layers(const json& before, const json& after) {
  std::map<std::string, const json*> later;
  for (const json& layer : after) later[layer.at("node")] = &layer;
  json layers = before;
  for (json& layer : layers) {
    layer["before"] = layer.at("cost");
    const auto found = later.find(layer.at("node").get<std::string>());
    layer["after"] = found == later.end() ? json(nullptr) : found->second->at("cost");
    layer["dims_after"] = found == later.end() ? json(nullptr) : found->second->at("dims");
    layer["paid"] = layer_paid(layer.at("before"), layer.at("after"));
    layer.erase("cost");
  }
  return layers;
}

void judge_step(json& step, const json& before, const json& after, const std::string& metric) {
  constexpr double kWorthwhile = 0.98;  // smaller gains drown in the noise of measuring
  const double latency = at(after, "latency", "median_ms") / at(before, "latency", "median_ms");
  const double file = after.at("file_bytes").get<double>() / before.at("file_bytes").get<double>();
  const double gzip = after.at("gzip_bytes").get<double>() / before.at("gzip_bytes").get<double>();
  json notes = step.contains("notes") ? step["notes"] : json::array();
  bool paid = latency < kWorthwhile || file < kWorthwhile || gzip < kWorthwhile;
  if (step.at("step") == "finetune" || step.at("step") == "distill") {
    const json &old = before.at("val"), &now = after.at("val");
    paid = old.is_object() && !old.at(metric).is_null() && !now.at(metric).is_null() &&
           now.at(metric).get<double>() > old.at(metric).get<double>();
    if (!paid) notes.push_back("the step did not pay: " + metric + " on val is no better than before it");
  } else {
    if (latency >= kWorthwhile)
      notes.push_back("no faster: measured latency is " + percent(latency) + " of what it was");
    if (file >= kWorthwhile)
      notes.push_back("the uncompressed file is no smaller: " + percent(file) +
                      " of what it was; gzip: " + percent(gzip));
    if (!paid) notes.push_back("the step did not pay: neither latency nor bytes got better");
  }
  if (step.at("step") == "prune" && !step.contains("filters") && !step.contains("blocks") && latency >= kWorthwhile)
    notes.push_back(
        "these zeros save bytes in compressed files, not time: `pare inspect --plan` says which layers run on a sparse "
        "kernel "
        "and why the others do not");
  step["paid"] = paid;
  step["notes"] = notes;
}

std::string decisive_metric(const data::Dataset& dataset) {
  const auto& split = dataset.val ? dataset.val : dataset.test;
  if (split && split->regression()) return "r2";
  return split && !split->labelled() ? "agreement" : "top1";
}

double decisive_value(const json& metrics, const std::string& metric, const std::string& subject) {
  if (!metrics.is_object()) throw Error(ErrorCode::kUsage, subject, "the data has no val split to decide on");
  if (metrics.at(metric).is_null())
    throw Error(ErrorCode::kUsage, subject,
                metric == "r2" ? "the targets of val do not vary, so that R² says nothing"
                               : "the output has one number a sample, so that agreement of classes says nothing; give "
                                 "targets in the data file");
  return metrics.at(metric).get<double>();
}

json gate_json(double max_drop, const json& before, const json& after, const std::string& metric) {
  const std::string subject = "gate.max_drop";
  const double now = decisive_value(after.at("val"), metric, subject);
  const double drop = (metric == "agreement" ? 100 : decisive_value(before.at("val"), metric, subject)) - now;
  return {{"max_drop", max_drop}, {"drop", drop}, {"split", "val"}, {"passed", drop <= max_drop}};
}

}  // namespace pare::compress
