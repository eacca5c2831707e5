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
  std::optional<double> snr_db;  ///< of the outputs against the reference; unset when identical or absent
};

/// Adds batches; logits [N, classes] f32 (further axes are flattened for SNR, averaged over for nothing else).
class MetricAccumulator {
 public:
  void add(const Tensor& logits, std::span<const std::int64_t> labels, const Tensor* reference = nullptr);
  Metrics result() const;

 private:
  std::int64_t samples_ = 0, labelled_ = 0, hits1_ = 0, hits5_ = 0, classes_ = 0, compared_ = 0, agree_ = 0;
  double loss_ = 0, signal_ = 0, noise_ = 0;
};

}  // namespace pare::eval
