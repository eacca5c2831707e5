#include "eval/evaluate.h"

#include <chrono>

#include "data/loader.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

/// The output to score: the only float one, since names say nothing about which of several is meant.
const Tensor& judged_output(const NamedTensors& outputs) {
  const Tensor* found = nullptr;
  for (const auto& [name, tensor] : outputs) {
    if (tensor.dtype() != DType::kFloat32) continue;
    if (found)
      throw Error(ErrorCode::kUnsupported, name,
                  "the model has several float outputs; metrics need exactly one [N, classes]");
    found = &tensor;
  }
  if (!found) throw Error(ErrorCode::kUnsupported, "model outputs", "no float32 output to score", "one [N, classes]");
  return *found;
}

class ProgressMeter {
 public:
  ProgressMeter(const Control& control, std::string stage, std::int64_t total)
      : control_(control), stage_(std::move(stage)), total_(total), start_(std::chrono::steady_clock::now()) {}

  void advance(std::int64_t samples) {
    done_ += samples;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
    control_.report({.stage = stage_,
                     .done = done_,
                     .total = total_,
                     .unit = "samples",
                     .values = {{"samples/s", rate}},
                     .eta_s = rate > 0 ? static_cast<double>(total_ - done_) / rate : -1});
  }

 private:
  const Control& control_;
  std::string stage_;
  std::int64_t total_, done_ = 0;
  std::chrono::steady_clock::time_point start_;
};

std::shared_ptr<const data::Split> first_samples(const data::Split& split, std::int64_t limit) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(limit));
  for (std::int64_t i = 0; i < limit; ++i) indices[static_cast<std::size_t>(i)] = i;
  return split.subset(std::move(indices));
}

}  // namespace

Metrics evaluate(exec::Executor& model, const data::Split& split, exec::Executor* reference,
                 const EvaluateOptions& options, const Control& control) {
  const bool limited = options.limit > 0 && options.limit < split.size();
  // An aliasing pointer without ownership: the caller's split outlives this call.
  const std::shared_ptr<const data::Split> samples =
      limited ? first_samples(split, options.limit)
              : std::shared_ptr<const data::Split>(std::shared_ptr<void>(), &split);
  if (samples->size() == 0) throw Error(ErrorCode::kBadInput, "data", "the split is empty", "at least one sample");
  data::Loader loader(samples, {.batch_size = options.batch_size, .workers = options.workers});
  loader.start(0);
  MetricAccumulator accumulator;
  ProgressMeter meter(control, options.stage, samples->size());
  while (std::optional<data::Batch> batch = loader.next()) {
    control.check_cancelled();
    const NamedTensors outputs = model.run(batch->inputs);
    if (reference) {
      const NamedTensors expected = reference->run(batch->inputs);
      accumulator.add(judged_output(outputs), batch->labels, &judged_output(expected));
    } else {
      accumulator.add(judged_output(outputs), batch->labels);
    }
    meter.advance(static_cast<std::int64_t>(batch->indices.size()));
  }
  return accumulator.result();
}

}  // namespace pare::eval
