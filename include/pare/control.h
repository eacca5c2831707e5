// What a caller hands to long jobs: progress, log messages, cancellation, and the resources they may use.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pare {

/// One report of a job under way. `stage` names the step ("finetune epoch 2/4"), `done`/`total` count `unit`s;
/// `values` are the figures to show beside them in order (loss, top1, samples/s); eta_s < 0 when unknown.
struct ProgressEvent {
  std::string stage;
  std::int64_t done = 0, total = 0;
  std::string unit;
  std::vector<std::pair<std::string, double>> values;
  double eta_s = -1;
};

enum class LogLevel { kDebug, kInfo, kWarning };

/// Callbacks may come from any thread but never from two at once. All members are optional.
struct Control {
  std::function<void(const ProgressEvent&)> progress;
  std::function<void(LogLevel, const std::string&)> log;
  /// Set (for example by a signal handler) to the exit code 130 or 143 to stop at the next safe point;
  /// the job then throws Error(kInterrupted / kTerminated) after its checkpoint is on disk.
  const std::atomic<int>* cancel = nullptr;

  void report(const ProgressEvent& event) const {
    if (progress) progress(event);
  }
  void info(const std::string& message) const {
    if (log) log(LogLevel::kInfo, message);
  }
  void warn(const std::string& message) const {
    if (log) log(LogLevel::kWarning, message);
  }
  /// Throws when cancellation was requested.
  void check_cancelled() const;
};

/// Resources and determinism of one call.
struct ExecutionOptions {
  int threads = 0;              ///< 0: all cores
  std::uint64_t seed = 0;       ///< every random choice comes from it
  std::int64_t max_memory = 0;  ///< bytes; 0: no limit
};

}  // namespace pare
