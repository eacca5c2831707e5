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

void MetricAccumulator::add(const Tensor& output, std::span<const std::int64_t> labels, const Tensor* reference,
                            const Tensor& targets) {
  const std::int64_t rows = output.rank() > 0 ? output.dim(0) : 0;
  if (rows <= 0 || output.numel() == 0)
    throw Error(ErrorCode::kBadInput, "model output", "cannot be scored", "logits [N, classes]",
                to_string(output.dims()));
  check_finite(output.data<float>());
  classes_ = output.numel() / rows;
  samples_ += rows;
  add_labels(output.data<float>(), labels);
  if (targets.defined()) add_targets(output, targets);
  if (reference) add_reference(output, *reference);
}

void MetricAccumulator::add_labels(std::span<const float> values, std::span<const std::int64_t> labels) {
  const auto width = static_cast<std::size_t>(classes_);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t label = labels[i];
    if (label < 0 || label >= classes_)
      throw Error(ErrorCode::kBadInput, "labels", "label out of range",
                  "0 to " + std::to_string(classes_ - 1) + " (classes of the model's output)", std::to_string(label));
    const std::span<const float> row = values.subspan(i * width, width);
    const std::int64_t rank = rank_of(row, label);
    hits1_ += rank == 0 ? 1 : 0;
    hits5_ += rank < 5 ? 1 : 0;
    loss_ += cross_entropy(row, label);
    ++labelled_;
  }
}

void MetricAccumulator::add_targets(const Tensor& output, const Tensor& targets) {
  if (targets.numel() != output.numel() || targets.dim(0) != output.dim(0))
    throw Error(ErrorCode::kBadInput, "targets", "have another shape than the model's output", to_string(output.dims()),
                to_string(targets.dims()));
  const std::span<const float> values = output.data<float>(), wanted = targets.data<float>();
  const auto width = static_cast<std::size_t>(classes_);
  target_sums_.resize(width);
  target_squares_.resize(width);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double target = wanted[i], error = values[i] - target;
    squares_ += error * error;
    distances_ += std::abs(error);
    target_sums_[i % width] += target;
    target_squares_[i % width] += target * target;
  }
  answered_ += targets.dim(0);
}

void MetricAccumulator::add_reference(const Tensor& output, const Tensor& reference) {
  if (reference.dims() != output.dims())
    throw Error(ErrorCode::kBadInput, "reference output", "has another shape than the model's",
                to_string(output.dims()), to_string(reference.dims()));
  const std::span<const float> values = output.data<float>(), expected = reference.data<float>();
  const auto width = static_cast<std::size_t>(classes_);
  for (std::size_t i = 0; i < expected.size(); i += width)
    agree_ += argmax(values.subspan(i, width)) == argmax(expected.subspan(i, width)) ? 1 : 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = double(values[i]) - expected[i];
    signal_ += double(expected[i]) * expected[i];
    noise_ += error * error;
  }
  compared_ += output.dim(0);
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
  if (answered_ > 0) {
    const auto n = static_cast<double>(answered_), elements = n * static_cast<double>(classes_);
    metrics.mse = squares_ / elements;
    metrics.mae = distances_ / elements;
    double variation = 0, magnitude = 0;
    for (std::size_t i = 0; i < target_sums_.size(); ++i) {
      variation += target_squares_[i] - target_sums_[i] * target_sums_[i] / n;
      magnitude += target_squares_[i];
    }
    if (variation > 1e-12 * magnitude) metrics.r2 = 100 * (1 - squares_ / variation);  // above the sums' rounding
  }
  if (compared_ > 0 && noise_ > 0) metrics.snr_db = 10 * std::log10(signal_ / noise_);
  if (compared_ > 0 && answered_ == 0 && classes_ > 1) {
    metrics.agreement = percent(agree_, compared_);
    metrics.agreement_interval = wilson95(agree_, compared_);
  }
  return metrics;
}

}  // namespace pare::eval
