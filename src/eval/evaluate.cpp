#include "eval/evaluate.h"

#include <chrono>

#include "base/float16.h"
#include "data/loader.h"
#include "data/padding.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

/// The output to score: the one of this name, or the only one of floats.
Tensor judged(const NamedTensors& outputs, const std::string& chosen) {
  const Tensor* found = nullptr;
  for (const auto& [name, tensor] : outputs) {
    if (!is_float(tensor.dtype()) || (!chosen.empty() && name != chosen)) continue;
    if (found)
      throw Error(ErrorCode::kUnsupported, name,
                  "the model has several float outputs; metrics need exactly one [N, classes]");
    found = &tensor;
  }
  if (!found) throw Error(ErrorCode::kUnsupported, "model outputs", "no output of floats to judge", "one [N, classes]");
  return cast(*found, DType::kFloat32);
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
    const auto rows = static_cast<std::int64_t>(batch->indices.size());
    if (options.fixed_batch) data::fill_up(batch->inputs, rows, options.batch_size);
    const std::int64_t batch_rows = options.fixed_batch ? options.batch_size : rows;
    const Tensor output = data::first_rows(judged(model.run(batch->inputs), options.output), rows, batch_rows);
    if (reference) {
      const Tensor expected =
          data::first_rows(judged(reference->run(batch->inputs), options.reference_output), rows, batch_rows);
      accumulator.add(output, batch->labels, &expected, batch->targets);
    } else {
      accumulator.add(output, batch->labels, nullptr, batch->targets);
    }
    meter.advance(rows);
  }
  return accumulator.result();
}

}  // namespace pare::eval
