// Learning-rate schedules.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "compress/training/loop.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

/// From 1 at t = 0 to 0 at t = 1 (Loshchilov & Hutter 2017).
double cosine(double t) { return 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(t, 0.0, 1.0))); }

}  // namespace

std::int64_t cycle_begin(std::int64_t cycle, std::int64_t cycles, std::int64_t total) { return cycle * total / cycles; }

double learning_rate_at(const LoopOptions& options, std::int64_t step, std::int64_t total, std::int64_t cycles) {
  if (cycles > 1) {
    std::int64_t cycle = 0;
    while (cycle + 1 < cycles && cycle_begin(cycle + 1, cycles, total) <= step) ++cycle;
    const std::int64_t begin = cycle_begin(cycle, cycles, total);
    return learning_rate_at(options, step - begin, cycle_begin(cycle + 1, cycles, total) - begin);
  }
  const double at = static_cast<double>(step), steps = static_cast<double>(std::max<std::int64_t>(total, 1));
  const double peak = options.learning_rate;
  if (options.schedule == "constant") return peak;
  if (options.schedule == "step") {
    double rate = peak;
    for (double milestone : options.milestones)
      if (at >= milestone * steps) rate *= options.gamma;
    return rate;
  }
  const double warm = std::floor(std::clamp(options.warmup, 0.0, 1.0) * steps);
  if (options.schedule == "cosine")  // linear warm-up, then down to 0
    return at < warm ? peak * (at + 1) / warm : peak * cosine((at - warm) / std::max(1.0, steps - warm));
  if (options.schedule == "one-cycle") {
    // Smith & Topin 2018 with cosine annealing: peak/25 → peak over the warm-up, then → peak/25/10⁴ at the last step.
    constexpr double kStart = 25, kEnd = 25e4;
    if (at < warm) return peak + (peak / kStart - peak) * cosine(at / warm);
    double t = (at - warm) / std::max(1.0, steps - 1 - warm);
    return peak / kEnd + (peak - peak / kEnd) * cosine(t);
  }
  throw Error(ErrorCode::kUsage, "schedule", "unknown value", "one-cycle, cosine, step or constant", options.schedule);
}

}  // namespace pare::compress
