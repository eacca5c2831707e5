// Latency of executors that take turns, so that a drift of the machine's speed meets all of them alike.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "exec/backend.h"

namespace pare::eval {

struct Latency {
  double median_ms = 0, p10_ms = 0, p90_ms = 0, p99_ms = 0, min_ms = 0;
  int runs = 0;
};

struct LatencyOptions {
  int warmup = 3;
  int min_runs = 10, max_runs = 1000;
  double seconds = 1.0;  ///< stop after this long (for each executor) once min_runs are done
};

struct Contestant {
  exec::Executor* executor;
  NamedTensors inputs;
};

/// One result a contestant, in order. `progress` is called after every round with the milliseconds that all have spent;
/// what it throws ends the measurement.
std::vector<Latency> measure_in_turns(std::span<const Contestant> contestants, const LatencyOptions& options,
                                      const std::function<void(double spent_ms)>& progress = {});

Latency measure_latency(exec::Executor& executor, const NamedTensors& inputs, const LatencyOptions& options);

}  // namespace pare::eval
