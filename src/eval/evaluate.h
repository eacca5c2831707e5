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
  std::string stage = "eval";                      ///< for progress
  std::string output = {}, reference_output = {};  ///< to judge (ir::judged_output); "": the only one of floats
  bool fixed_batch = false;  ///< the model takes batches of exactly batch_size: the last one is filled up
};

/// Runs the split through `model` (and `reference` when given): every sample counts once, whatever the batch.
/// Error(kBadInput) when labels exceed the classes of the output.
Metrics evaluate(exec::Executor& model, const data::Split& split, exec::Executor* reference,
                 const EvaluateOptions& options, const Control& control);

}  // namespace pare::eval
