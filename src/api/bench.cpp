#include "pare/bench.h"

#include <algorithm>
#include <limits>
#include <map>

#include "api/model_impl.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "eval/measure.h"
#include "eval/turns.h"
#include "ir/infer.h"
#include "kernels/peak/peak.h"
#include "pare/error.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

constexpr int kProfileRepeats = 20;

struct Entry {
  std::unique_ptr<exec::Executor> executor;
  NamedTensors inputs;
};

Entry enter(const Model& model, const InputShapes& shapes, int threads, const BenchOptions& options) {
  exec::CompileOptions compile;
  compile.threads = threads;
  compile.packed = model.impl().packed;
  compile.simplified = model.impl().simplified();
  compile.max_memory = options.max_memory;
  compile.precision = options.precision;
  return {runtime::backend({.tuned = options.tune, .exact = options.exact}).compile(model.impl().executable(), compile),
          eval::random_inputs(model.impl().prepared(), shapes, options.seed)};
}

std::vector<eval::Latency> measure(const std::vector<Entry>& entries, const BenchOptions& options,
                                   const std::string& stage) {
  std::vector<eval::Contestant> contestants;
  for (const Entry& entry : entries) contestants.push_back({entry.executor.get(), entry.inputs});
  const double total_ms = options.seconds * 1000 * static_cast<double>(entries.size());
  options.control.check_cancelled();
  return eval::measure_in_turns(contestants, {.max_runs = std::numeric_limits<int>::max(), .seconds = options.seconds},
                                [&](double spent_ms) {
                                  options.control.check_cancelled();
                                  options.control.report({stage,
                                                          static_cast<std::int64_t>(spent_ms),
                                                          static_cast<std::int64_t>(total_ms),
                                                          "ms",
                                                          {},
                                                          (total_ms - spent_ms) / 1000});
                                });
}

/// Multiply-adds a millisecond by type, each measured once.
class Peaks {
 public:
  explicit Peaks(int threads) : threads_(threads) {}
  double of(DType type) {
    const auto [found, is_new] = known_.try_emplace(type, 0);
    if (is_new) found->second = 1e6 * kernels::measure_peak(type, threads_);
    return found->second;
  }

 private:
  int threads_;
  std::map<DType, double> known_;
};

std::vector<StepProfile> profile(Entry& entry, const InputShapes& shapes, Peaks& peaks) {
  // Timed first: what depends on data is planned by a run.
  const std::vector<exec::StepTime> times = entry.executor->profile(entry.inputs, kProfileRepeats);
  const std::vector<exec::PlanStep> plan = entry.executor->plan(shapes);
  std::vector<StepProfile> steps;
  for (const exec::StepTime& time : times) {
    const exec::PlanStep& step = plan.at(time.step);
    steps.push_back({step.kernel, step.op_type, step.nodes.empty() ? std::string() : step.nodes[0], step.output_dims,
                     step.macs, time.median_ms, step.multiplies});
    steps.back().reason = step.reason;
    if (step.macs == 0 || !(time.median_ms > 0)) continue;
    const double peak = peaks.of(step.multiplies);
    if (peak > 0) steps.back().peak_share = static_cast<double>(step.macs) / time.median_ms / peak;
  }
  return steps;
}

std::vector<BenchResult> bench_setting(const std::vector<Model>& models, int threads, std::int64_t batch,
                                       const BenchOptions& options) {
  const ThreadScope scope(threads);
  std::vector<Entry> entries;
  std::vector<BenchResult> results;
  for (const Model& model : models) {
    BenchResult result;
    result.model = model.path();
    result.threads = threads;
    result.shapes = ir::input_shapes_for(model.impl().prepared(), batch, options.shapes);
    const auto first = result.shapes.begin();
    result.batch = first != result.shapes.end() && !first->second.empty() ? first->second[0] : batch;
    entries.push_back(enter(model, result.shapes, threads, options));
    results.push_back(std::move(result));
  }
  const std::vector<eval::Latency> latencies =
      measure(entries, options, "bench, threads " + std::to_string(threads) + ", batch " + std::to_string(batch));
  Peaks peaks(threads);
  for (std::size_t i = 0; i < results.size(); ++i) {
    BenchResult& result = results[i];
    const eval::Latency& latency = latencies[i];
    result.latency = {latency.median_ms, latency.p10_ms, latency.p90_ms, latency.p99_ms, latency.min_ms, latency.runs};
    result.throughput = static_cast<double>(result.batch) * 1000 / std::max(result.latency.median_ms, 1e-9);
    const std::vector<exec::PlanStep> plan = entries[i].executor->plan(result.shapes);
    if (!plan.empty() && plan.back().op_type == "Batch") result.batching = plan.back().reason;
    const exec::MemoryUse memory = entries[i].executor->memory(result.shapes);
    result.weight_bytes = memory.weights;
    result.arena_bytes = memory.arena;
    result.process_peak_bytes = peak_resident_bytes();
    if (options.profile) result.profile = profile(entries[i], result.shapes, peaks);
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
