#include "compress/quantize/val_metric.h"

#include <algorithm>

#include "base/threads.h"
#include "compress/record.h"
#include "compress/statistics.h"
#include "eval/evaluate.h"
#include "ir/judged.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

exec::CompileOptions compile_options(const StepContext& context) {
  return {.threads = resolve_threads(context.execution.threads), .max_memory = context.execution.max_memory};
}

}  // namespace

ValMetric::ValMetric(const StepContext& context, std::int64_t limit)
    : context_(context), metric_(decisive_metric(context.dataset)), samples_(0), limit_(limit) {
  if (context.dataset.val) samples_ = context.dataset.val->size();
  if (limit > 0) samples_ = std::min(samples_, limit);
  if (metric_ == "agreement") reference_ = context.backend.compile(context.original, compile_options(context));
}

double ValMetric::of(const ir::Model& model, const std::string& subject, const std::string& stage) const {
  if (samples_ == 0) return decisive_value(nullptr, metric_, subject);
  eval::EvaluateOptions options{.batch_size = forward_batch(model, 32), .limit = limit_, .stage = stage};
  options.fixed_batch = fixed_batch(model) > 1;
  options.output = options.reference_output =
      model.graph.value(ir::judged_output(model.graph, context_.dataset.output)).name;
  const auto executor = context_.backend.compile(model, compile_options(context_));
  return decisive_value(
      to_json(eval::evaluate(*executor, *context_.dataset.val, reference_.get(), options, context_.control)), metric_,
      subject);
}

}  // namespace pare::compress
