#include "compress/quantize/hessian_trace.h"

#include "base/threads.h"
#include "compress/prune/samples.h"
#include "exec/curvature.h"
#include "pare/error.h"

namespace pare::compress {

std::map<std::string, double> hessian_traces(const ir::Model& model, int probes, const StepContext& context) {
  constexpr std::int64_t kBatch = 32;
  exec::TrainerOptions options{
      .precision = "f32", .threads = resolve_threads(context.execution.threads), .seed = context.execution.seed};
  const auto& train = context.dataset.train;
  const bool answers = train && (train->labelled() || train->regression());
  if (!answers) options.loss = {.temperature = 1, .alpha = 1};
  const auto trainer = context.trainer().create(model, answers ? nullptr : &model, options);
  auto* curvature = dynamic_cast<exec::Curvature*>(trainer.get());
  if (!curvature)
    throw Error(ErrorCode::kUnsupported, "quantize.mixed.sensitivity", "this trainer cannot differentiate twice", "noise",
                "hessian");
  std::map<std::string, double> traces;
  std::uint64_t done = 0;
  visit_samples(model, probes * kBatch, kBatch, context, "Hessian traces", [&](const data::Batch& batch) {
    if (done >= static_cast<std::uint64_t>(probes)) return;
    for (const auto& [name, trace] : curvature->hessian_traces(batch, done)) traces[name] += trace;
    ++done;
  });
  for (auto& [name, trace] : traces) trace /= static_cast<double>(done);
  return traces;
}

}  // namespace pare::compress
