// Streaming statistics of activations: one pass over calibration samples, memory independent of their number.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compress/method.h"
#include "eval/histogram.h"

namespace pare::compress {

using ActivationHistogram = eval::Histogram;

class Statistics {
 public:
  /// Throws Error(kInternal) when the value was not observed.
  const ActivationHistogram& of(const std::string& value) const;
  bool has(const std::string& value) const { return values_.count(value) > 0; }
  ActivationHistogram& at(const std::string& value) { return values_[value]; }
  std::int64_t samples() const noexcept { return samples_; }
  void set_samples(std::int64_t samples) noexcept { samples_ = samples; }

 private:
  std::map<std::string, ActivationHistogram> values_;
  std::int64_t samples_ = 0;
};

/// Samples of a split in a fixed order that depends on the seed only; all of them when `count` is 0 or larger than the
/// split.
std::vector<std::int64_t> calibration_indices(std::int64_t split_size, std::int64_t count, std::uint64_t seed);

/// Samples a forward pass should take at once: the model's own batch size where it is fixed, else few enough to bound
/// memory.
std::int64_t forward_batch(const ir::Model& model, std::int64_t wanted);

/// The batch size that the model fixes; 0: it takes any.
std::int64_t fixed_batch(const ir::Model& model);

/// Input shapes at batch 1: those of the model, and where it leaves more than the batch open, those of the first
/// sample. Error(kBadInput) where there is no sample either.
std::map<std::string, Dims> measured_shapes(const ir::Model& model, const data::Dataset& dataset);

/// One pass that serves all requests (the largest `samples` of them). Error(kBadInput) names the layer whose output is
/// not finite; Error(kUsage) without a train split.
Statistics gather_statistics(const ir::Model& model, const std::vector<StatisticsRequest>& requests,
                             const StepContext& context);

}  // namespace pare::compress
