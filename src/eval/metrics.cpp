#include "eval/metrics.h"

#include <algorithm>
#include <cmath>

#include "pare/error.h"

namespace pare::eval {

Interval wilson95(std::int64_t hits, std::int64_t samples) {
  if (samples == 0) return {0, 100};
  const double z = 1.959963984540054, n = static_cast<double>(samples), p = static_cast<double>(hits) / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {100 * std::max(0.0, centre - half), 100 * std::min(1.0, centre + half)};
}

namespace {

std::int64_t argmax(std::span<const float> row) { return std::max_element(row.begin(), row.end()) - row.begin(); }

/// Rank of `label` among the logits: how many classes score higher; ties go to the lower index, as argmax does.
std::int64_t rank_of(std::span<const float> row, std::int64_t label) {
  const float score = row[static_cast<std::size_t>(label)];
  std::int64_t better = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(row.size()); ++i) {
    const float other = row[static_cast<std::size_t>(i)];
    better += other > score || (other == score && i < label) ? 1 : 0;
  }
  return better;
}

double cross_entropy(std::span<const float> row, std::int64_t label) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (float value : row) sum += std::exp(value - top);
  return std::log(sum) + top - row[static_cast<std::size_t>(label)];
}

void check_finite(std::span<const float> values) {
  for (float value : values)
    if (!std::isfinite(value))
      throw Error(ErrorCode::kBadInput, "model output", "not finite", "finite logits", std::to_string(value));
}

}  // namespace

void MetricAccumulator::add(const Tensor& logits, std::span<const std::int64_t> labels, const Tensor* reference) {
  const std::int64_t rows = logits.rank() > 0 ? logits.dim(0) : 0;
  if (rows <= 0 || logits.numel() == 0)
    throw Error(ErrorCode::kBadInput, "model output", "cannot be scored", "logits [N, classes]",
                to_string(logits.dims()));
  const std::span<const float> values = logits.data<float>();
  check_finite(values);
  classes_ = logits.numel() / rows;
  samples_ += rows;
  const auto width = static_cast<std::size_t>(classes_);
  const auto row_of = [&](std::span<const float> all, std::int64_t i) {
    return all.subspan(static_cast<std::size_t>(i) * width, width);
  };
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(labels.size()); ++i) {
    const std::int64_t label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= classes_)
      throw Error(ErrorCode::kBadInput, "labels", "label out of range",
                  "0 to " + std::to_string(classes_ - 1) + " (classes of the model's output)", std::to_string(label));
    const std::int64_t rank = rank_of(row_of(values, i), label);
    hits1_ += rank == 0 ? 1 : 0;
    hits5_ += rank < 5 ? 1 : 0;
    loss_ += cross_entropy(row_of(values, i), label);
    ++labelled_;
  }
  if (!reference) return;
  if (reference->dims() != logits.dims())
    throw Error(ErrorCode::kBadInput, "reference output", "has another shape than the model's",
                to_string(logits.dims()), to_string(reference->dims()));
  const std::span<const float> expected = reference->data<float>();
  for (std::int64_t i = 0; i < rows; ++i) agree_ += argmax(row_of(values, i)) == argmax(row_of(expected, i)) ? 1 : 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = double(values[i]) - expected[i];
    signal_ += double(expected[i]) * expected[i];
    noise_ += error * error;
  }
  compared_ += rows;
}

Metrics MetricAccumulator::result() const {
  Metrics metrics;
  metrics.samples = samples_;
  const auto percent = [](std::int64_t part, std::int64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  };
  if (labelled_ > 0) {
    metrics.top1 = percent(hits1_, labelled_);
    metrics.top1_interval = wilson95(hits1_, labelled_);
    if (classes_ > 5) metrics.top5 = percent(hits5_, labelled_);
    metrics.loss = loss_ / static_cast<double>(labelled_);
  }
  if (compared_ > 0) {
    metrics.agreement = percent(agree_, compared_);
    metrics.agreement_interval = wilson95(agree_, compared_);
    if (noise_ > 0) metrics.snr_db = 10 * std::log10(signal_ / noise_);
  }
  return metrics;
}

}  // namespace pare::eval
