// Quality and cost of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pare/control.h"
#include "pare/dataset.h"
#include "pare/model.h"

namespace pare {

/// A 95 % Wilson score interval, in percent.
struct Interval95 {
  double low = 0, high = 0;
};

/// Figures that need labels are unset without them; those that need a reference likewise.
struct Quality {
  std::int64_t samples = 0;
  std::optional<double> top1, top5;  ///< percent
  std::optional<Interval95> top1_interval;
  std::optional<double> loss;       ///< mean cross-entropy, nats
  std::optional<double> agreement;  ///< percent of samples with the reference's top-1
  std::optional<Interval95> agreement_interval;
  std::optional<double> mse, mae;  ///< with targets, over samples and elements
  std::optional<double> r2;        ///< percent of the targets' variance that the outputs explain
  std::optional<double> snr_db;    ///< of the outputs against the reference's; unset when identical
};

/// Milliseconds over `runs` runs.
struct LatencyInfo {
  double median_ms = 0, p10_ms = 0, p90_ms = 0, p99_ms = 0, min_ms = 0;
  int runs = 0;
};

struct EvaluateOptions {
  ExecutionOptions execution;
  Control control;
  std::string split = "test";    ///< "train", "val" or "test"
  std::int64_t limit = 0;        ///< samples, the first ones; 0: all
  std::int64_t batch = 32;       ///< samples run at once; a model with a fixed batch uses its own
  double latency_seconds = 0.5;  ///< spent on timing one sample at a time; 0: not timed
  /// kBFloat16: float32 layers (but for the reference's) multiply in bfloat16 and sum in float32.
  /// Error(kUnsupported) on a CPU without it.
  DType precision = DType::kFloat32;
  bool exact = false;  ///< as SessionOptions::exact, of the reference too
};

struct Evaluation {
  std::string split;
  std::string output;  ///< that was judged
  int outputs = 1;     ///< how many there were to choose from (data description: `output`)
  Quality quality;
  std::optional<LatencyInfo> latency;  ///< of one batch of `latency_batch`
  std::int64_t latency_batch = 1;
  int threads = 1;
  std::int64_t bytes = 0;  ///< of the model file
};

/// Runs a split through the model, and through `reference` where given. Throws Error(kUsage) when the split is absent,
/// Error(kBadInput) for weights that are not finite or labels beyond the classes, Error(kUnsupported).
Evaluation evaluate(const Model& model, const Dataset& data, const Model* reference = nullptr,
                    const EvaluateOptions& options = {});

}  // namespace pare
