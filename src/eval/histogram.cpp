#include "eval/histogram.h"

#include <algorithm>
#include <functional>
#include <mutex>

#include "base/threads.h"
#include "pare/error.h"

namespace pare::eval {
namespace {

constexpr int kHalf = Histogram::kBins / 2;
constexpr int kSmallest = -126;  ///< of a bin's exponent, so that 1/width is a float

struct Extent {
  float low, high;
  bool finite;
};

Extent extent_of(std::span<const float> values) {
  float low = values[0], high = values[0], fault = 0;
  const float* x = values.data();
  const auto count = static_cast<std::int64_t>(values.size());
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : fault)
  for (std::int64_t i = 0; i < count; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    fault += x[i] - x[i];  // NaN unless finite
  }
  return {low, high, fault == 0};
}

Extent merged(const Extent& a, const Extent& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high), a.finite && b.finite};
}

/// Values that a thread takes at least: below it, threads cost more than they save.
constexpr std::int64_t kGrain = 1 << 16;

Extent extent_in_parallel(std::span<const float> values) {
  Extent whole{values[0], values[0], true};
  std::mutex mutex;
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    const Extent part =
        extent_of(values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
    const std::lock_guard lock(mutex);
    whole = merged(whole, part);
  });
  return whole;
}

/// Adds the counts of these values. Two tables in turn: a run of equal values (zeros, mostly) would else wait for each
/// increment's store.
void count_values(std::span<const float> values, float scale, std::span<std::int64_t> bins) {
  constexpr std::size_t kStrip = 256;
  std::vector<std::uint32_t> counts(2 * Histogram::kBins, 0);
  std::uint32_t *even = counts.data(), *odd = even + Histogram::kBins;
  std::int32_t places[kStrip];
  for (std::size_t done = 0; done < values.size(); done += kStrip) {
    const std::size_t strip = std::min(kStrip, values.size() - done);
    const float* x = values.data() + done;
    // std::floor, which the baseline instruction set has no vectors for.
#pragma omp simd
    for (std::size_t i = 0; i < strip; ++i) {
      const float place = x[i] * scale;
      const auto whole = static_cast<std::int32_t>(place);
      places[i] = whole - (place < static_cast<float>(whole) ? 1 : 0) + kHalf;
    }
    std::size_t i = 0;
    for (; i + 1 < strip; i += 2) {
      ++even[places[i]];
      ++odd[places[i + 1]];
    }
    if (i < strip) ++even[places[i]];
  }
  for (std::size_t i = 0; i < bins.size(); ++i) bins[i] += std::int64_t{even[i]} + std::int64_t{odd[i]};
}

}  // namespace

bool Histogram::add(std::span<const float> values, bool bins) {
  if (values.empty()) return true;
  const auto [low, high, finite] = extent_in_parallel(values);
  if (!finite) return false;
  min_ = count_ == 0 ? low : std::min(min_, low);
  max_ = count_ == 0 ? high : std::max(max_, high);
  count_ += static_cast<std::int64_t>(values.size());
  const double weight = 1.0 / static_cast<double>(std::min<std::int64_t>(++batches_, 100));
  average_min_ += weight * (static_cast<double>(low) - average_min_);
  average_max_ += weight * (static_cast<double>(high) - average_max_);
  if (!bins) return true;
  widen(std::max(std::fabs(low), std::fabs(high)));
  const float scale = std::ldexp(1.0F, -exponent_);
  if (values.size() < kBins) {
    for (float value : values) ++bins_[static_cast<std::size_t>(static_cast<int>(std::floor(value * scale)) + kHalf)];
    return true;
  }
  std::mutex mutex;
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;  // counts of a part fit in 32 bits
    for (std::int64_t part = begin; part < end; part += kMost) {
      std::vector<std::int64_t> own(kBins, 0);
      const std::int64_t size = std::min(kMost, end - part);
      count_values(values.subspan(static_cast<std::size_t>(part), static_cast<std::size_t>(size)), scale, own);
      const std::lock_guard lock(mutex);
      std::transform(bins_.begin(), bins_.end(), own.begin(), bins_.begin(), std::plus<>());
    }
  });
  return true;
}

void Histogram::widen(float magnitude) {
  // The largest magnitude must fall strictly below kHalf bins.
  int needed = magnitude > 0 ? std::ilogb(magnitude) + 1 - std::ilogb(static_cast<double>(kHalf)) : kSmallest;
  needed = std::max(needed, kSmallest);
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    exponent_ = needed;
    return;
  }
  for (; exponent_ < needed; ++exponent_) {
    std::vector<std::int64_t> wider(kBins, 0);
    for (int i = 0; i < kBins; ++i)
      wider[static_cast<std::size_t>(((i - kHalf) >> 1) + kHalf)] += bins_[static_cast<std::size_t>(i)];
    bins_ = std::move(wider);
  }
}

double Histogram::quantile(double fraction) const {
  if (bins_.empty()) throw Error(ErrorCode::kInternal, "histogram", "quantile without bins");
  const auto rank = static_cast<std::int64_t>(std::ceil(fraction * static_cast<double>(count_)));
  if (rank <= 0) return min_;
  std::int64_t below = 0;
  for (int i = 0; i < kBins; ++i) {
    below += bins_[static_cast<std::size_t>(i)];
    if (below >= rank)
      return std::clamp(std::ldexp(i - kHalf + 1.0, exponent_), static_cast<double>(min_), static_cast<double>(max_));
  }
  return max_;
}

std::vector<std::int64_t> Histogram::coarse(double low, double high, std::size_t bins) const {
  std::vector<std::int64_t> counts(bins, 0);
  const double step = (high - low) / static_cast<double>(bins), last = static_cast<double>(bins) - 1;
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    if (bins_[i] == 0) continue;
    const double center = std::clamp((static_cast<double>(i) - kHalf + 0.5) * bin_width(), static_cast<double>(min_),
                                     static_cast<double>(max_));
    const double place = step > 0 ? std::clamp(std::floor((center - low) / step), 0.0, last) : 0;
    counts[static_cast<std::size_t>(place)] += bins_[i];
  }
  return counts;
}

}  // namespace pare::eval
