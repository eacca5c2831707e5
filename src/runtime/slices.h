// A batch that runs as several smaller ones: plans of few samples over slices of the inputs, so that activations stay
// in the caches, one after another or one on each thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/batch_axis.h"
#include "runtime/plan_run.h"

namespace pare::runtime {

/// What runs in place of one plan. The results are those of running the slices by themselves, bit by bit, whichever
/// thread runs them; beside the whole batch at once they differ as kernels for fewer samples do.
struct Slices {
  std::int64_t samples = 0;  ///< of the batch
  std::int64_t each = 0;     ///< of a slice; the last one may have fewer
  int workers =
      1;  ///< 1: slices follow each other, a step runs on all threads; else so many at once, each on one thread
  BatchAxes axes;
  exec::CompileOptions options;                   ///< of the parts
  std::shared_ptr<Plan> part, rest;               ///< rest: for what is left over; null: nothing
  std::size_t arena_bytes = 0, weight_bytes = 0;  ///< of all that is at work at once

  std::int64_t full() const { return samples / each; }
  std::int64_t count() const { return full() + (rest ? 1 : 0); }
};

/// Inputs as of the whole batch's plan. `after` counts the writing of a slice's outputs as one step more than its plan
/// has. An error in a slice ends the run: those that have not begun do not.
NamedTensors run_slices(const Slices& slices, const std::vector<Tensor>& inputs, const AfterStep& after);

/// What runs for one set of input shapes: a plan, or slices.
struct Planned {
  std::shared_ptr<Plan> plan;
  std::shared_ptr<const Slices> slices;
  std::string batching;  ///< how a batch of several samples runs, and why; "" where there is none

  std::size_t arena_bytes() const { return slices ? slices->arena_bytes : plan->arena_bytes; }
  std::size_t weight_bytes() const { return slices ? slices->weight_bytes : plan->weight_bytes; }
};

}  // namespace pare::runtime
