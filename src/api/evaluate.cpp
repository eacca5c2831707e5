#include "pare/evaluate.h"

#include <algorithm>

#include "api/model_impl.h"
#include "api/quality.h"
#include "base/threads.h"
#include "eval/evaluate.h"
#include "eval/measure.h"
#include "eval/turns.h"
#include "ir/infer.h"
#include "ir/judged.h"
#include "pare/error.h"
#include "pare/session.h"
#include "runtime/runtime.h"

namespace pare {

namespace {

bool is_output(const ir::Graph& graph, ir::ValueId id) {
  return std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end();
}

}  // namespace

Evaluation evaluate(const Model& model, const Dataset& data, const Model* reference, const EvaluateOptions& options) {
  const auto split = api::require_split(data, options.split);
  api::require_finite(model);
  if (reference) api::require_finite(*reference);
  const ir::Model& prepared = model.impl().prepared();
  exec::CompileOptions compile;
  compile.threads = resolve_threads(options.execution.threads);
  compile.max_memory = options.execution.max_memory;
  const ThreadScope threads(compile.threads);
  compile.packed = model.impl().packed;
  compile.simplified = model.impl().simplified();
  compile.precision = options.precision;
  const exec::Backend& backend = runtime::backend({.exact = options.exact});
  const auto executor = backend.compile(model.impl().executable(), compile);
  compile.precision = DType::kFloat32;
  std::unique_ptr<exec::Executor> reference_executor;
  if (reference) {
    compile.packed = reference->impl().packed;
    compile.simplified = reference->impl().simplified();
    reference_executor = backend.compile(reference->impl().executable(), compile);
  }

  eval::EvaluateOptions how;
  how.batch_size = api::batch_for(prepared, options.batch);
  how.fixed_batch = api::batch_for(prepared, 0) > 0;
  how.limit = options.limit;
  const std::string& chosen = data.impl().dataset.output;
  const auto judged = [&](const ir::Model& of, const std::string& name) {
    return of.graph.value(ir::judged_output(of.graph, name)).name;
  };
  how.output = judged(prepared, chosen);
  if (reference) {
    const ir::Model& other = reference->impl().prepared();
    const ir::ValueId same = other.graph.find_value(how.output);
    how.reference_output = judged(other, same != ir::kNoValue && is_output(other.graph, same) ? how.output : "");
  }
  Evaluation result;
  result.output = how.output;
  result.outputs = static_cast<int>(ir::judgeable_outputs(prepared.graph).size());
  result.split = options.split;
  result.threads = compile.threads;
  result.quality = api::quality_of(eval::evaluate(*executor, *split, reference_executor.get(), how, options.control));
  result.bytes = model.bytes();
  if (options.latency_seconds > 0) {
    result.latency_batch = api::batch_for(prepared, 1);
    std::vector<std::int64_t> indices(static_cast<std::size_t>(result.latency_batch));
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i) % split->size();
    eval::LatencyOptions timing;
    timing.seconds = options.latency_seconds;
    const eval::Latency latency = eval::measure_latency(*executor, split->batch(indices).inputs, timing);
    result.latency =
        LatencyInfo{latency.median_ms, latency.p10_ms, latency.p90_ms, latency.p99_ms, latency.min_ms, latency.runs};
  }
  return result;
}

}  // namespace pare
