// Streaming statistics of activations: one pass over calibration samples, memory independent of their number.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compress/method.h"

namespace pare::compress {

/// Counts in bins of equal width around zero. The width is a power of two that doubles when a value falls outside,
/// merging neighbours exactly, so one pass suffices and the result does not depend on how the values are split into
/// batches, but for the very first width. Range and count are exact; a quantile is right to one bin, at most 1/2048 of
/// the range.
class ActivationHistogram {
 public:
  static constexpr int kBins = 8192;

  /// `bins` false: only range and count are kept. Returns false (and adds nothing) when a value is not finite.
  bool add(std::span<const float> values, bool bins);

  std::int64_t count() const noexcept { return count_; }
  float min() const noexcept { return min_; }  ///< 0 before any value
  float max() const noexcept { return max_; }
  /// Smallest and largest value of a batch, averaged over the calls of add() (the first 100 weigh the same, later ones
  /// 0.01 each).
  double average_min() const noexcept { return average_min_; }
  double average_max() const noexcept { return average_max_; }
  bool has_bins() const noexcept { return !bins_.empty(); }
  /// Counts of values in [(i − kBins/2)·bin_width, (i + 1 − kBins/2)·bin_width); empty without bins.
  std::span<const std::int64_t> bins() const noexcept { return bins_; }
  double bin_width() const noexcept { return std::ldexp(1.0, exponent_); }
  /// Smallest edge of a bin with at least `fraction` of the values at or below it, kept within [min, max].
  double quantile(double fraction) const;

 private:
  void widen(float magnitude);

  std::int64_t count_ = 0, batches_ = 0;
  float min_ = 0, max_ = 0;
  double average_min_ = 0, average_max_ = 0;
  int exponent_ = 0;  ///< width of a bin: 2^exponent
  std::vector<std::int64_t> bins_;
};

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
