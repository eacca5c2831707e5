// How a batch runs: at once, or in slices (runtime/slices.h), of how many samples, on how many threads.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/compile.h"
#include "runtime/slices.h"

namespace pare::runtime {

/// The rule is one of sizes, not of times: a model runs the same way every time.
struct SliceRule {
  /// Most that the activations of a slice may take, for each core at work. Above it a smaller slice is faster; far
  /// below it too, a slice loses more by reading all weights once more than it wins.
  std::size_t arena_bytes = 0;
  /// Where the activations of one sample alone pass the cache of a core and weights take at most so many times them,
  /// slices are of one sample: reading weights once more costs less than activations that go further away.
  double light_weights = 0;
  /// With several threads, slices side by side read the weights once each. They must do so many multiply-adds a byte of
  /// weights, unless the weights stay in the cache of a core.
  double macs_per_byte = 0;
  std::size_t cache_bytes = 0;  ///< of a core
  /// Least share of the threads' time that slices side by side may keep busy: three samples do not go well with two.
  double busy = 0;
  std::int64_t each = 0;  ///< > 0: slices of so many samples, whatever they take (tests)
  enum class Threads { kByRule, kShareSteps, kShareSlices } threads = Threads::kByRule;
};

/// For this CPU's caches.
SliceRule machine_rule();

/// make_plan(), or slices where the rule asks for them and the model allows it; Planned::batching says which and why.
/// Observed values and float_qdq are those of the whole batch.
Planned plan_batch(const PreparedModel& prepared, const std::vector<Dims>& shapes, const exec::CompileOptions& options,
                   WeightCache& cache, const SliceRule& rule);

}  // namespace pare::runtime
