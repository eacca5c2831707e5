// Measuring speed: models take turns, so that drift of the machine hits all of them alike.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pare/control.h"
#include "pare/evaluate.h"
#include "pare/model.h"

namespace pare {

struct BenchOptions {
  std::vector<int> threads = {0};  ///< 0: all cores
  std::vector<std::int64_t> batches = {1};
  InputShapes shapes;  ///< by input name; an input given here ignores `batches`
  double seconds = 1;  ///< measured per model, threads and batch
  bool profile = false;
  bool tune = true;             ///< as SessionOptions::tune
  bool exact = false;           ///< as SessionOptions::exact
  std::uint64_t seed = 0;       ///< of the random inputs
  std::int64_t max_memory = 0;  ///< bytes; 0: no limit
  /// kBFloat16: float32 layers multiply in bfloat16 and sum in float32. Error(kUnsupported) on a CPU without it.
  DType precision = DType::kFloat32;
  Control control;
};

/// One step of a compiled plan with its share of the time.
struct StepProfile {
  std::string kernel, op_type, node;
  Dims output_dims;
  std::int64_t macs = 0;
  double median_ms = 0;
  DType multiplies = DType::kFloat32;  ///< the type of its products: kFloat32, kBFloat16 or kInt8
  /// Its multiply-adds a second as a share of what this CPU reaches in that type with operands in registers; 0 where it
  /// has none, or where no instruction multiplies the type.
  double peak_share = 0;
  std::string reason;  ///< why this kernel: zeros, and what it was chosen against
};

struct BenchResult {
  std::string model;  ///< path
  int threads = 1;
  std::int64_t batch = 1;
  InputShapes shapes;
  LatencyInfo latency;    ///< of one batch
  double throughput = 0;  ///< samples per second at the median
  std::string batching;   ///< how several samples run, at once or in slices, and why; "" where the batch is one or fixed
  std::int64_t weight_bytes = 0, arena_bytes = 0;
  std::int64_t process_peak_bytes = 0;  ///< most memory that the process held, all models loaded, up to this result
  std::vector<StepProfile> profile;  ///< with BenchOptions::profile
};

/// One result for every model, thread count and batch, in this nesting: threads, batches, models. Throws
/// Error(kUnsupported) for models that cannot run, Error(kBadInput) for shapes that contradict a model.
std::vector<BenchResult> bench(const std::vector<Model>& models, const BenchOptions& options = {});

}  // namespace pare
