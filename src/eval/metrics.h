// Metrics over a stream of batches.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::eval {

struct Interval {
  double low = 0, high = 0;
};
/// Wilson score interval of `hits` in `samples` at 95 %, in percent (Wilson 1927).
Interval wilson95(std::int64_t hits, std::int64_t samples);

struct Metrics {
  std::int64_t samples = 0;
  std::optional<double> top1, top5, loss;  ///< percent, percent, mean cross-entropy; unset without labels
  std::optional<Interval> top1_interval;
  std::optional<double> agreement;  ///< percent of samples with the reference's top-1
  std::optional<Interval> agreement_interval;
  std::optional<double> mse, mae;  ///< of a regression, mean over samples and elements
  /// Share of the targets' variance that the outputs explain, in percent (100: all; below 0: worse than their mean),
  /// pooled over elements: 100·(1 − Σ(y − t)² / Σ(t − mean of its element)²). Unset when the targets do not vary.
  std::optional<double> r2;
  std::optional<double> snr_db;  ///< of the outputs against the reference; unset when identical or absent
};

/// Adds batches; outputs [N, classes] f32, or of the targets' shape for a regression (further axes are flattened for
/// SNR, averaged over for nothing else). Top-1 agreement is left out where it says nothing: for regressions and outputs
/// of one element.
class MetricAccumulator {
 public:
  /// `targets` may be undefined. Throws Error(kBadInput) when shapes or labels do not fit.
  void add(const Tensor& output, std::span<const std::int64_t> labels, const Tensor* reference = nullptr,
           const Tensor& targets = {});
  Metrics result() const;

 private:
  void add_labels(std::span<const float> values, std::span<const std::int64_t> labels);
  void add_targets(const Tensor& output, const Tensor& targets);
  void add_reference(const Tensor& output, const Tensor& reference);

  std::int64_t samples_ = 0, labelled_ = 0, hits1_ = 0, hits5_ = 0, classes_ = 0, compared_ = 0, agree_ = 0,
               answered_ = 0;
  double loss_ = 0, signal_ = 0, noise_ = 0, squares_ = 0, distances_ = 0;
  std::vector<double> target_sums_, target_squares_;  ///< by element of a sample
};

}  // namespace pare::eval
