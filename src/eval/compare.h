// Layer-by-layer comparison of two models on the same samples.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/difference.h"
#include "eval/histogram.h"
#include "eval/injection.h"
#include "eval/layers.h"
#include "eval/metrics.h"
#include "exec/backend.h"
#include "pare/control.h"

namespace pare::eval {

struct CompareOptions {
  int threads = 1;              ///< resolved, > 0
  std::int64_t max_memory = 0;  ///< bytes for each model, 0: no limit
  bool float_qdq = false;       ///< as CompileOptions::float_qdq
  std::int64_t total = 0;       ///< samples to come, for progress
  std::int64_t fixed_batch =
      0;                    ///< that the models take, 0: any; a partial batch is filled up, and only layers see that
  std::string output = {};  ///< of a, to judge; "": the first of floats [N, …]
  /// Samples, the first ones, on which each layer's error alone is put into a (injection.h); 0: none.
  std::int64_t injection = 0;
};

struct ComparedLayer {
  LayerValue a, b;
  bool by_name = true;
  Difference difference;
  /// SNR of the layers that feed this one (the lowest) less its own, in dB; unset when identical and for inputs.
  /// Feeding layers count as no better than the best layer of the model that is not identical: otherwise the first
  /// layer that differs at all would always be the worst.
  std::optional<double> drop_db;
  Histogram histogram_a, histogram_b;     ///< of the finite values
  std::optional<InjectedError> injected;  ///< unset where it was not asked for, or nothing can be injected
};

struct UncomparedLayer {
  bool in_a;
  LayerValue layer;
  std::string reason;
};

struct ComparedOutput {
  std::string a, b;
  Difference difference;
};

struct CompareResult {
  Metrics a, b;                         ///< b's with agreement and SNR against a; empty where `judged` is empty
  std::string judged;                   ///< output of a that metrics are taken from; "" when none is of floats [N, …]
  std::vector<ComparedOutput> outputs;  ///< float outputs, in order of a
  std::vector<ComparedLayer> layers;    ///< in the order in which a computes them
  std::vector<UncomparedLayer> uncompared;
  std::int64_t samples = 0, injection_samples = 0;
};

/// Batches with the inputs of a; nullopt at the end.
using BatchSource = std::function<std::optional<data::Batch>()>;

/// Runs both side by side (lockstep.h); memory beyond the two plans is that of the layers one is ahead by. Quantized
/// values are compared as the integers that the plan holds, dequantized. Then, where it is asked for, the layers one at a
/// time (injection.h). Throws Error(kBadInput) naming the input or
/// output in which the models differ, Error(kUnsupported) listing what cannot run.
CompareResult compare(const exec::Backend& backend, const ir::Model& a, const ir::Model& b, const BatchSource& next,
                      const CompareOptions& options, const Control& control);

/// Inputs (outputs) of b by those of a: by name, else by place where type (among floats: any) and shape agree. Throws
/// Error(kBadInput) naming the one without a counterpart.
std::map<std::string, std::string> match_ports(const ir::Model& a, const ir::Model& b, bool inputs);

}  // namespace pare::eval
