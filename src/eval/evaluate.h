// Quality of a compiled model on a split.
#pragma once

#include "data/dataset.h"
#include "eval/metrics.h"
#include "exec/backend.h"
#include "pare/control.h"

namespace pare::eval {

struct EvaluateOptions {
  std::int64_t batch_size = 32;
  std::int64_t limit = 0;  ///< samples; 0: all
  int workers = 1;
  std::string stage = "eval";  ///< for progress
};

/// Runs the split through `model` (and `reference` when given). The first output [N, classes] is judged.
/// Error(kBadInput) when labels exceed the classes of the output.
Metrics evaluate(exec::Executor& model, const data::Split& split, exec::Executor* reference,
                 const EvaluateOptions& options, const Control& control);

}  // namespace pare::eval
