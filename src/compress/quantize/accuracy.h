// Accuracy-aware quantization: layers go back to float until the metric on val has lost no more than it may.
#pragma once

#include <set>

#include "compress/quantize/protect.h"

namespace pare::compress {

struct AccuracyLimits {
  double max_drop = 0;           ///< points of the metric on val
  std::set<std::string> floats;  ///< layers that stay float in any case
};

/// Layers to leave in float besides `limits.floats`: as few as keep the drop on val within the limit, those first whose
/// integers alone make the most noise at the output. Tried are none, 1, 2, 4, … layers and, once the limit is kept, by
/// bisection how few do; one layer stays on integers whatever comes. Where the limit cannot be kept: those of the best
/// model seen. `context.record["accuracy"]` tells (docs/json.md), with "met". The metric is that of the integer kernels.
/// Error(kUnsupported) where layers must go and the probe cannot be used.
std::set<std::string> keep_accuracy(const ir::Model& before, const ir::Model& floats, const std::vector<Layer>& layers,
                                    const Probe& probe, const AccuracyLimits& limits, const QuantizeAll& all,
                                    const QuantizeOne& one, StepContext& context);

}  // namespace pare::compress
