// Counts of a stream of values: one pass, memory independent of their number.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace pare::eval {

/// Counts in bins of equal width around zero. The width is a power of two that doubles when a value falls outside,
/// merging neighbours exactly, so one pass suffices and the result does not depend on how the values are split into
/// batches, but for the very first width. Range and count are exact; a quantile is right to one bin, at most 1/2048 of
/// the range.
class Histogram {
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
  /// Counts in `bins` even steps of [low, high], each fine bin where its centre falls; what lies outside counts at the
  /// ends. All zero without bins.
  std::vector<std::int64_t> coarse(double low, double high, std::size_t bins) const;

 private:
  void widen(float magnitude);

  std::int64_t count_ = 0, batches_ = 0;
  float min_ = 0, max_ = 0;
  double average_min_ = 0, average_max_ = 0;
  int exponent_ = 0;  ///< width of a bin: 2^exponent
  std::vector<std::int64_t> bins_;
};

}  // namespace pare::eval
