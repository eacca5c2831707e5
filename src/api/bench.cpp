#include "pare/bench.h"

#include <algorithm>
#include <chrono>

#include "api/model_impl.h"
#include "base/threads.h"
#include "eval/measure.h"
#include "ir/infer.h"
#include "pare/error.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

constexpr int kWarmupRuns = 3, kMinRuns = 10, kProfileRepeats = 20;
constexpr double kTurnSeconds = 0.05;  // short beside frequency and scheduler drift, long beside a switch of models

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Contestant {
  std::unique_ptr<exec::Executor> executor;
  NamedTensors inputs;
  std::vector<double> times;  // ms
  double spent_ms = 0;
};

LatencyInfo summarize(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double fraction) {
    const double position = fraction * static_cast<double>(times.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, times.size() - 1);
    return times[below] + (position - static_cast<double>(below)) * (times[above] - times[below]);
  };
  return {at(0.5), at(0.1), at(0.9), at(0.99), times.front(), static_cast<int>(times.size())};
}

Contestant enter(const Model& model, const InputShapes& shapes, int threads, const BenchOptions& options) {
  exec::CompileOptions compile;
  compile.threads = threads;
  compile.max_memory = options.max_memory;
  Contestant contestant;
  contestant.executor = runtime::backend().compile(model.impl().prepared(), compile);
  contestant.inputs = eval::random_inputs(model.impl().prepared(), shapes, options.seed);
  for (int i = 0; i < kWarmupRuns; ++i) contestant.executor->run(contestant.inputs);
  return contestant;
}

void take_turn(Contestant& contestant, double milliseconds) {
  const Clock::time_point turn = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    contestant.executor->run(contestant.inputs);
    contestant.times.push_back(milliseconds_since(start));
  } while (milliseconds_since(turn) < milliseconds);
  contestant.spent_ms += milliseconds_since(turn);
}

void measure(std::vector<Contestant>& contestants, const BenchOptions& options, const std::string& stage) {
  const double budget_ms = options.seconds * 1000;
  const auto unfinished = [&](const Contestant& c) {
    return c.spent_ms < budget_ms || static_cast<int>(c.times.size()) < kMinRuns;
  };
  const auto total = static_cast<std::int64_t>(budget_ms * static_cast<double>(contestants.size()));
  while (std::any_of(contestants.begin(), contestants.end(), unfinished)) {
    double spent = 0;
    for (Contestant& contestant : contestants) {
      options.control.check_cancelled();
      if (unfinished(contestant)) take_turn(contestant, std::min(kTurnSeconds * 1000, budget_ms));
      spent += std::min(contestant.spent_ms, budget_ms);
    }
    const double left_s = (static_cast<double>(total) - spent) / 1000;
    options.control.report({stage, static_cast<std::int64_t>(spent), total, "ms", {}, left_s});
  }
}

std::vector<StepProfile> profile(Contestant& contestant, const InputShapes& shapes) {
  const std::vector<exec::PlanStep> plan = contestant.executor->plan(shapes);
  std::vector<StepProfile> steps;
  for (const exec::StepTime& time : contestant.executor->profile(contestant.inputs, kProfileRepeats)) {
    const exec::PlanStep& step = plan.at(time.step);
    steps.push_back({step.kernel, step.op_type, step.nodes.empty() ? std::string() : step.nodes[0], step.output_dims,
                     step.macs, time.median_ms});
  }
  return steps;
}

std::vector<BenchResult> bench_setting(const std::vector<Model>& models, int threads, std::int64_t batch,
                                       const BenchOptions& options) {
  const ThreadScope scope(threads);
  std::vector<Contestant> contestants;
  std::vector<BenchResult> results;
  for (const Model& model : models) {
    BenchResult result;
    result.model = model.path();
    result.threads = threads;
    result.shapes = ir::input_shapes_for(model.impl().prepared(), batch, options.shapes);
    const auto first = result.shapes.begin();
    result.batch = first != result.shapes.end() && !first->second.empty() ? first->second[0] : batch;
    contestants.push_back(enter(model, result.shapes, threads, options));
    results.push_back(std::move(result));
  }
  measure(contestants, options, "bench, threads " + std::to_string(threads) + ", batch " + std::to_string(batch));
  for (std::size_t i = 0; i < results.size(); ++i) {
    BenchResult& result = results[i];
    result.latency = summarize(contestants[i].times);
    result.throughput = static_cast<double>(result.batch) * 1000 / std::max(result.latency.median_ms, 1e-9);
    const exec::MemoryUse memory = contestants[i].executor->memory(result.shapes);
    result.weight_bytes = memory.weights;
    result.arena_bytes = memory.arena;
    if (options.profile) result.profile = profile(contestants[i], result.shapes);
  }
  return results;
}

}  // namespace

std::vector<BenchResult> bench(const std::vector<Model>& models, const BenchOptions& options) {
  if (models.empty()) throw Error(ErrorCode::kUsage, "bench", "no model given", "at least one");
  if (!(options.seconds > 0)) {
    throw Error(ErrorCode::kUsage, "seconds", "out of range", "more than 0", std::to_string(options.seconds));
  }
  std::vector<BenchResult> results;
  for (int threads : options.threads) {
    for (std::int64_t batch : options.batches) {
      if (batch < 1) throw Error(ErrorCode::kUsage, "batch", "out of range", "at least 1", std::to_string(batch));
      for (BenchResult& result : bench_setting(models, resolve_threads(threads), batch, options)) {
        results.push_back(std::move(result));
      }
    }
  }
  return results;
}

}  // namespace pare
