// entropy: the threshold on |x| at which the quantized distribution loses least information, by the Kullback–Leibler
// divergence (Migacz, 8-bit Inference with TensorRT, GTC 2017). For every threshold of i bins:
//   P: the first i bins, the last of them with all outliers;  Q: the same bins without outliers, summed to `levels`
//   levels and spread evenly again over the bins of a level that hold something;  divergence = Σ P log(P/Q).
// As in TensorRT's tools the first bin takes the count of the second: zeros, which ReLU makes in plenty, are exact at
// every threshold and must not decide. Where Q lacks what P has the divergence is infinite. Running sums make a
// threshold cost `levels` operations instead of i.
#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/quantize/calibrator.h"

namespace pare::compress {
namespace {

/// Counts of |x|, bin by bin.
std::vector<double> magnitudes_of(const ActivationHistogram& seen) {
  constexpr std::size_t kHalf = ActivationHistogram::kBins / 2;
  std::vector<double> counts(kHalf, 0.0);
  const auto bins = seen.bins();
  for (std::size_t i = 0; i < kHalf; ++i) counts[i] = static_cast<double>(bins[kHalf + i] + bins[kHalf - 1 - i]);
  counts[0] = counts[1];
  while (!counts.empty() && counts.back() == 0) counts.pop_back();
  return counts;
}

double x_log_x(double x) { return x > 0 ? x * std::log(x) : 0; }

/// Sums over the first i bins, i = 0 … n.
struct Sums {
  std::vector<double> counts{0}, filled{0}, logs{0};

  explicit Sums(const std::vector<double>& bins) {
    for (double count : bins) {
      counts.push_back(counts.back() + count);
      filled.push_back(filled.back() + (count > 0 ? 1 : 0));
      logs.push_back(logs.back() + x_log_x(count));
    }
  }
};

/// Σ P log(P/Q) for a threshold of `i` bins.
double divergence(const std::vector<double>& bins, const Sums& sums, std::size_t i, std::size_t levels) {
  const double total = sums.counts.back(), inside = sums.counts[i], outliers = total - inside, last = bins[i - 1];
  if (inside == 0 || (last == 0 && outliers > 0)) return std::numeric_limits<double>::infinity();
  const double p_log_p = (sums.logs[i] - x_log_x(last) + x_log_x(last + outliers)) / total - std::log(total);
  double p_log_q = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t from = level * i / levels, to = (level + 1) * i / levels;
    const double sum = sums.counts[to] - sums.counts[from], filled = sums.filled[to] - sums.filled[from];
    if (sum == 0) continue;
    const double p = (level + 1 == levels ? sum + outliers : sum) / total;
    p_log_q += p * std::log(sum / (filled * inside));
  }
  return p_log_p - p_log_q;
}

Range range(const ActivationHistogram& seen, const nlohmann::json& options) {
  const double low = seen.min(), high = seen.max();
  const std::vector<double> bins = magnitudes_of(seen);
  // Two-sided ranges have half of their 2^bits integers on either side; unsigned ones spend all of them on a one-sided range.
  const bool one_sided = options.at("scheme") == "affine" && (low >= 0 || high <= 0);
  const std::size_t levels = std::size_t{1} << (options.value("bits", 8) - (one_sided ? 0 : 1));
  if (bins.size() <= levels) return {low, high};
  const Sums sums(bins);
  std::size_t best = bins.size();
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = levels; i <= bins.size(); ++i) {
    const double now = divergence(bins, sums, i, levels);
    if (now <= least) least = now, best = i;
  }
  const double threshold = static_cast<double>(best) * seen.bin_width();
  return {std::max(low, -threshold), std::min(high, threshold)};
}

}  // namespace

const Calibrator& entropy_calibrator() {
  static const Calibrator calibrator = {"entropy", "loses least information (KL divergence)", "histogram", range};
  return calibrator;
}

}  // namespace pare::compress
