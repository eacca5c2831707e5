#include "eval/turns.h"

#include <algorithm>
#include <chrono>

#include "pare/error.h"

namespace pare::eval {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kTurnMs = 50;  // short beside frequency and scheduler drift, long beside a switch of models

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

struct Tally {
  std::vector<double> times;  // ms
  double spent_ms = 0;

  bool finished(const LatencyOptions& options) const {
    const int runs = static_cast<int>(times.size());
    return runs >= options.max_runs || (runs >= options.min_runs && spent_ms >= options.seconds * 1000);
  }
};

void take_turn(const Contestant& contestant, const LatencyOptions& options, Tally& tally) {
  const double turn_ms = std::min(kTurnMs, options.seconds * 1000);
  const Clock::time_point turn = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    contestant.executor->run(contestant.inputs);
    tally.times.push_back(milliseconds_since(start));
  } while (milliseconds_since(turn) < turn_ms && static_cast<int>(tally.times.size()) < options.max_runs);
  tally.spent_ms += milliseconds_since(turn);
}

Latency summarize(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double fraction) {
    const double position = fraction * static_cast<double>(times.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, times.size() - 1);
    return times[below] + (position - static_cast<double>(below)) * (times[above] - times[below]);
  };
  return {at(0.5), at(0.1), at(0.9), at(0.99), times.front(), static_cast<int>(times.size())};
}

}  // namespace

std::vector<Latency> measure_in_turns(std::span<const Contestant> contestants, const LatencyOptions& options,
                                      const std::function<void(double)>& progress) {
  if (options.min_runs < 1 || options.max_runs < 1)
    throw Error(ErrorCode::kUsage, "latency", "no run was asked for", "at least one");
  for (const Contestant& contestant : contestants)
    for (int i = 0; i < options.warmup; ++i) contestant.executor->run(contestant.inputs);
  std::vector<Tally> tallies(contestants.size());
  const auto unfinished = [&](const Tally& tally) { return !tally.finished(options); };
  while (std::any_of(tallies.begin(), tallies.end(), unfinished)) {
    double spent_ms = 0;
    for (std::size_t i = 0; i < tallies.size(); ++i) {
      if (unfinished(tallies[i])) take_turn(contestants[i], options, tallies[i]);
      spent_ms += std::min(tallies[i].spent_ms, options.seconds * 1000);
    }
    if (progress) progress(spent_ms);
  }
  std::vector<Latency> results;
  for (Tally& tally : tallies) results.push_back(summarize(std::move(tally.times)));
  return results;
}

Latency measure_latency(exec::Executor& executor, const NamedTensors& inputs, const LatencyOptions& options) {
  const Contestant alone{&executor, inputs};
  return measure_in_turns({&alone, 1}, options).front();
}

}  // namespace pare::eval
