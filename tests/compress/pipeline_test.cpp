#include "compress/pipeline.h"

#include <gtest/gtest.h>

#include "compress/provenance.h"
#include "compress/record.h"
#include "fakes.h"

namespace pare::compress {
namespace {

constexpr const char* kRecipe =
    "steps:\n  - prune: {sparsity: 0.5, epochs: 2, batch_size: 8}\n  - finetune: {epochs: 2, batch_size: 8, distill: "
    "true}\n  - quantize\n";

TEST(Pipeline, RecordHasWhatTheDocsPromise) {
  World world("record");
  PipelineResult result = world.run(std::string(kRecipe) + "gate: {max_drop: 100}\n");
  const nlohmann::json& run = result.run;
  for (const char* key :
       {"format", "version", "command", "started", "seconds", "model", "data", "recipe", "environment", "seed",
        "metric", "before", "after", "steps", "layers", "gate", "notes", "outputs"})
    EXPECT_TRUE(run.contains(key)) << key;
  ASSERT_EQ(run["steps"].size(), 3u);
  for (const auto& step : run["steps"])
    for (const char* key : {"step", "method", "options", "seconds", "summary", "paid", "notes", "curve"})
      EXPECT_TRUE(step.contains(key)) << key;
  for (const char* key : {"val", "test", "latency", "file_bytes", "gzip_bytes", "parameters", "nonzero_parameters",
                          "macs", "peak_memory_bytes"})
    EXPECT_TRUE(run["after"].contains(key)) << key;
  EXPECT_EQ(run["after"]["val"]["samples"], 20);
  EXPECT_FALSE(run["after"]["val"]["agreement"].is_null());
  EXPECT_EQ(run["layers"].size(), 4u);
  EXPECT_EQ(run["layers"][1]["before"]["bits"], 32);
  EXPECT_EQ(run["layers"][1]["after"]["bits"], 8);
  for (const auto& layer : run["layers"])
    if (const auto& times = layer["paid"]; times.is_boolean())
      EXPECT_EQ(times.get<bool>(), layer["after"]["latency_ms"].get<double>() <=
                                       0.98 * layer["before"]["latency_ms"].get<double>());
    else
      EXPECT_TRUE(layer["before"]["latency_ms"].is_null() || layer["after"]["latency_ms"].is_null() ||
                  layer["before"]["bytes"] == layer["after"]["bytes"]);
  EXPECT_EQ(run["before"]["peak_memory_bytes"], 1500);
  EXPECT_TRUE(result.gate_passed);
  EXPECT_TRUE(world.factory.had_teacher);
  EXPECT_EQ(world.factory.last_options.loss.alpha, 0.9);
}

TEST(Pipeline, SparseWeightsRunDenseIsSaid) {
  World world("dense");
  PipelineResult result = world.run("steps: [{prune: {sparsity: 0.5}}]");
  const nlohmann::json& step = result.run["steps"][0];
  if (step["summary"]["latency"]["median_ms"].get<double>() >=
      0.98 * result.run["before"]["latency"]["median_ms"].get<double>())
    EXPECT_NE(step["notes"].dump().find("sparse kernel"), std::string::npos);
}

nlohmann::json summary(double latency, int file, int gzip, double top1) {
  return {{"latency", {{"median_ms", latency}}},
          {"file_bytes", file},
          {"gzip_bytes", gzip},
          {"val", {{"top1", top1}, {"agreement", nullptr}}}};
}

TEST(Pipeline, StepsThatDoNotPaySaySo) {
  nlohmann::json prune = {{"step", "prune"}};
  judge_step(prune, summary(1, 100, 90, 50), summary(1, 100, 45, 50), "top1");
  EXPECT_TRUE(prune["paid"].get<bool>());
  EXPECT_EQ(prune["notes"].size(), 3u);  // no faster, file no smaller, why on which kernel
  nlohmann::json nothing = {{"step", "prune"}};
  judge_step(nothing, summary(1, 100, 90, 50), summary(1.2, 100, 90, 50), "top1");
  EXPECT_FALSE(nothing["paid"].get<bool>());
  nlohmann::json good = {{"step", "quantize"}};
  judge_step(good, summary(1, 100, 90, 50), summary(0.3, 25, 20, 50), "top1");
  EXPECT_TRUE(good["paid"].get<bool>());
  EXPECT_TRUE(good["notes"].empty());
  nlohmann::json tuned = {{"step", "finetune"}};
  judge_step(tuned, summary(1, 100, 90, 50), summary(1, 100, 90, 49), "top1");
  EXPECT_FALSE(tuned["paid"].get<bool>());
}

TEST(Pipeline, GateDecidesOnVal) {
  nlohmann::json passed = gate_json(1, summary(1, 1, 1, 90), summary(1, 1, 1, 89.5), "top1");
  EXPECT_TRUE(passed["passed"].get<bool>());
  EXPECT_DOUBLE_EQ(passed["drop"].get<double>(), 0.5);
  EXPECT_FALSE(gate_json(0.4, summary(1, 1, 1, 90), summary(1, 1, 1, 89.5), "top1")["passed"].get<bool>());
  nlohmann::json unlabelled = summary(1, 1, 1, 0);
  unlabelled["val"] = {{"top1", nullptr}, {"agreement", 97.0}};
  EXPECT_DOUBLE_EQ(gate_json(5, unlabelled, unlabelled, "agreement")["drop"].get<double>(), 3.0);
}

TEST(Pipeline, WithoutLabelsTheOriginalTeachesAndJudges) {
  World world("unlabelled");
  world.dataset = image_data(false);
  PipelineResult result = world.run("steps: [{finetune: {epochs: 1, batch_size: 8}}]\ngate: {max_drop: 100}");
  EXPECT_EQ(result.run["metric"], "agreement");
  EXPECT_EQ(world.factory.last_options.loss.alpha, 1.0);
  EXPECT_TRUE(world.factory.had_teacher);
  EXPECT_TRUE(result.run["after"]["val"]["top1"].is_null());
  EXPECT_EQ(error_of([&] { world.run("steps: [{finetune: {distill: {alpha: 0.5}}}]"); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(error_of([&] { world.run("steps: [{finetune: {from_scratch: true}}]"); }).code(), ErrorCode::kUsage);
}

TEST(Pipeline, SameSeedSameBytesAndNoTimingsInProvenance) {
  World a("bytes_a"), b("bytes_b");
  ir::Model first = a.run(kRecipe).model, second = b.run(kRecipe).model;
  EXPECT_EQ(a.store.serialize(first), b.store.serialize(second));
  nlohmann::json steps = provenance_of(first);
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0]["step"], "prune");
  EXPECT_EQ(steps[0]["model_after"], steps[1]["model_before"]);
  for (const char* word : {"seconds", "median_ms", "samples_per_s", "started"})
    EXPECT_EQ(steps.dump().find(word), std::string::npos) << word;
  World c("bytes_c");
  c.seed = 4;
  EXPECT_NE(c.store.serialize(c.run(kRecipe).model), a.store.serialize(first));
}

TEST(Pipeline, KilledAnywhereResumesToTheSameModel) {
  World whole("resume_whole");
  const std::string expected = whole.store.serialize(whole.run(kRecipe).model);
  for (int stop : {1, 3, 8, 15, 25}) {
    World world("resume");
    std::atomic<int> cancel = 0;
    int events = 0;
    world.control.cancel = &cancel;
    world.control.progress = [&](const ProgressEvent&) {
      if (++events == stop) cancel = 143;
    };
    Error error = error_of([&] { world.run(kRecipe); });
    world.control = {};
    world.resume = true;
    if (error.code() != ErrorCode::kTerminated) {
      EXPECT_LT(events, stop) << "the run ended before the stop";
    }
    EXPECT_EQ(world.store.serialize(world.run(kRecipe).model), expected) << stop;
  }
}

TEST(Pipeline, ResumeRefusesWhatChanged) {
  World world("changed");
  world.run("steps: [{prune: {sparsity: 0.5}}]");
  world.resume = true;
  auto refused = [&](const std::string& yaml) {
    Error error = error_of([&] { world.run(yaml); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
    return std::string(error.what());
  };
  EXPECT_NE(refused("steps: [{prune: {sparsity: 0.6}}]").find("the recipe changed"), std::string::npos);
  world.seed = 9;
  EXPECT_NE(refused("steps: [{prune: {sparsity: 0.5}}]").find("the seed changed"), std::string::npos);
  world.seed = 3;
  world.dataset.val = ImageSplit::make(1000, 20, true, "other");
  EXPECT_NE(refused("steps: [{prune: {sparsity: 0.5}}]").find("the data changed"), std::string::npos);
  world.dataset = image_data();
  world.model = residual_model(16);
  EXPECT_NE(refused("steps: [{prune: {sparsity: 0.5}}]").find("the model changed"), std::string::npos);
}

TEST(Pipeline, FaultsAreFoundBeforeAnyWork) {
  World world("faults");
  Error order = error_of([&] { world.run("steps: [quantize, {finetune: {epochs: 1}}]"); });
  EXPECT_EQ(order.code(), ErrorCode::kUsage);
  EXPECT_EQ(order.subject(), "steps[1].finetune");
  world.factory.refused = {{"body", "Conv", "no gradient"}, {"tail", "Conv", "no gradient either"}};
  Error trainer = error_of([&] { world.run(kRecipe); });
  EXPECT_EQ(trainer.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(trainer.what()).find("tail (Conv"), std::string::npos);
  world.factory.refused.clear();
  world.backend.refused = {{"pool", "MaxPool", "too big"}};
  EXPECT_EQ(error_of([&] { world.run(kRecipe); }).code(), ErrorCode::kUnsupported);
  world.backend.refused.clear();
  world.model.graph.value(world.model.graph.find_value("body.weight")).constant->mutable_data<float>()[5] =
      std::nanf("");
  Error nan = error_of([&] { world.run(kRecipe); });
  EXPECT_EQ(nan.code(), ErrorCode::kBadInput);
  EXPECT_NE(nan.subject().find("body.weight"), std::string::npos);
  EXPECT_EQ(world.backend.compiled, 0);
  EXPECT_FALSE(std::filesystem::exists(world.folder));
}

TEST(Pipeline, DryRunPlansWithoutRunning) {
  World world("plan");
  Recipe recipe = parse_recipe(kRecipe, "r.yaml");
  nlohmann::json plan = plan_pipeline(world.inputs(recipe));
  ASSERT_EQ(plan["steps"].size(), 3u);
  EXPECT_TRUE(plan["steps"][0]["needs_training"].get<bool>());
  EXPECT_EQ(plan["steps"][0]["targets"].size(), 4u);
  EXPECT_EQ(plan["steps"][2]["statistics"][0]["samples"], 512);
  EXPECT_EQ(world.backend.compiled + world.factory.created, 0);
}

TEST(Pipeline, DivergenceKeepsTheStepBefore) {
  World world("diverged");
  world.factory.diverge_at = 3;
  Error error =
      error_of([&] { world.run("steps: [{prune: {sparsity: 0.5}}, {finetune: {epochs: 2, batch_size: 8}}]"); });
  EXPECT_EQ(error.code(), ErrorCode::kDiverged);
  EXPECT_TRUE(std::filesystem::exists(world.folder / "checkpoints" / "step_1.onnx"));
  world.factory.diverge_at = -1;
  world.resume = true;
  EXPECT_NO_THROW(world.run("steps: [{prune: {sparsity: 0.5}}, {finetune: {epochs: 2, batch_size: 8}}]"));
}

}  // namespace
}  // namespace pare::compress
