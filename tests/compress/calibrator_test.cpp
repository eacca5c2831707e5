#include <gtest/gtest.h>

#include <functional>

#include "compress/quantize/params.h"
#include "fakes.h"

namespace pare::compress {
namespace {

const nlohmann::json kAffine = {{"scheme", "affine"}, {"percentile", 99.99}};
const nlohmann::json kSymmetric = {{"scheme", "symmetric"}, {"percentile", 99.99}};

struct Case {
  std::string name;
  std::vector<float> values;
};

std::vector<float> draw(std::size_t count, std::uint64_t seed, const std::function<double(Rng&)>& one) {
  Rng rng(seed, kRngTest);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(one(rng)));
  return values;
}

/// What activations look like: rectified, two-sided, with long tails, with an outlier.
std::vector<Case> cases() {
  std::vector<Case> list = {
      {"relu", draw(20000, 1, [](Rng& rng) { return std::max(0.0, rng.normal()); })},
      {"normal", draw(20000, 2, [](Rng& rng) { return 3 * rng.normal() + 0.5; })},
      {"long tails", draw(20000, 3, [](Rng& rng) { return std::pow(rng.normal(), 5) / 10; })},
      {"one tail", draw(20000, 4, [](Rng& rng) { return std::exp(1.5 * rng.normal()) - 0.3; })},
      {"outlier", draw(20000, 5, [](Rng& rng) { return rng.normal(); })},
  };
  list.back().values.push_back(60);
  return list;
}

ActivationHistogram seen_of(const std::vector<float>& values) {
  ActivationHistogram seen;
  for (std::size_t at = 0; at < values.size(); at += 1000)
    EXPECT_TRUE(seen.add(std::span(values).subspan(at, std::min<std::size_t>(1000, values.size() - at)), true));
  return seen;
}

double squared_error(const std::vector<float>& values, const passes::QuantParams& params, int least, int most) {
  double sum = 0;
  for (float value : values) {
    double level = std::nearbyint(static_cast<double>(value / params.scale[0])) + params.zero_point[0];
    double off = (std::clamp<double>(level, least, most) - params.zero_point[0]) * static_cast<double>(params.scale[0]);
    sum += (off - static_cast<double>(value)) * (off - static_cast<double>(value));
  }
  return sum;
}

/// Every pair of ends on the grid, on the values themselves.
double least_affine_error(const std::vector<float>& values, double low, double high) {
  double best = INFINITY;
  for (int a = low < 0 ? 2 : 100; a <= 100; a += 2)
    for (int b = 2; b <= 100; b += 2)
      best = std::min(best, squared_error(values, affine_params({low * a / 100, high * b / 100}), 0, 255));
  return best;
}

TEST(Calibrator, MseFindsTheLeastErrorOfAllRanges) {
  for (Case& one : cases()) {
    one.values.erase(one.values.begin(), one.values.begin() + 18000);  // the brute force sees every value 2500 times
    const ActivationHistogram seen = seen_of(one.values);
    const Range found = find_calibrator("mse").range(seen, kAffine);
    const double error = squared_error(one.values, affine_params(found), 0, 255);
    const double whole = squared_error(one.values, affine_params({seen.min(), seen.max()}), 0, 255);
    EXPECT_LE(error, 1.02 * least_affine_error(one.values, seen.min(), seen.max())) << one.name;
    EXPECT_LE(error, 1.01 * whole) << one.name;  // right to the histogram's bins
    EXPECT_GE(found.low, seen.min()) << one.name;
    EXPECT_LE(found.high, seen.max()) << one.name;
  }
}

TEST(Calibrator, MseOfASymmetricRange) {
  for (const Case& one : cases()) {
    const ActivationHistogram seen = seen_of(one.values);
    const double largest = std::max(std::fabs(seen.min()), std::fabs(seen.max()));
    double best = INFINITY, threshold = 0;
    for (int step = 1; step <= 400; ++step) {
      const double error = squared_error(one.values, symmetric_params({0, largest * step / 400}), -128, 127);
      if (error < best) best = error, threshold = largest * step / 400;
    }
    const Range found = find_calibrator("mse").range(seen, kSymmetric);
    EXPECT_NEAR(found.high, threshold, 0.03 * largest) << one.name;
    EXPECT_LE(squared_error(one.values, symmetric_params(found), -128, 127), 1.02 * best) << one.name;
  }
}

/// The grid that is written decides: powers of two leave only a handful of scales, 16 bits many more levels.
TEST(Calibrator, MseScoresTheGridThatIsWritten) {
  for (Case& one : cases()) {
    one.values.erase(one.values.begin(), one.values.begin() + 18000);
    const ActivationHistogram seen = seen_of(one.values);
    const double low = seen.min(), high = seen.max();
    nlohmann::json options = kAffine;
    options["scales"] = "power-of-two";
    const ActivationSpec two{.power_of_two = true};
    double best = INFINITY;
    for (int a = low < 0 ? 1 : 100; a <= 100; ++a)
      for (int b = 1; b <= 100; ++b)
        best = std::min(best, squared_error(one.values, affine_params({low * a / 100, high * b / 100}, two), 0, 255));
    const auto error = [&](const nlohmann::json& by) {
      return squared_error(one.values, affine_params(find_calibrator("mse").range(seen, by), two), 0, 255);
    };
    EXPECT_LE(error(options), 1.02 * best) << one.name;
    EXPECT_LE(error(options), 1.001 * error(kAffine)) << one.name;
    nlohmann::json wide = kAffine;
    wide["bits"] = 16;
    const Range range = find_calibrator("mse").range(seen, wide);
    EXPECT_GE(range.high, 0.97 * high) << one.name << ": 65535 levels have no need to clip";
  }
}

TEST(Calibrator, ARangeOfNothingBecomesWhatWasSeen) {
  std::vector<float> values(100000, 0.0F);
  values[5] = 4;  // beyond the percentile: 99.99 % are 0
  ActivationHistogram seen;
  ASSERT_TRUE(seen.add(values, true));
  ASSERT_TRUE(seen.add(std::vector<float>(100000, 0.0F), true));
  const Calibrator& percentile = find_calibrator("percentile");
  EXPECT_LT(percentile.range(seen, kAffine).high, 0.01) << "the bin that holds 0";
  EXPECT_EQ(calibrated_range(percentile, seen, kAffine).high, 4);
  ActivationHistogram dead;
  ASSERT_TRUE(dead.add(std::vector<float>(10, 0.0F), true));
  EXPECT_EQ(calibrated_range(percentile, dead, kAffine).high, 0);
}

/// Migacz's algorithm as his slides spell it, bin by bin. -1: infinite.
double plain_divergence(const std::vector<double>& bins, std::size_t i, std::size_t levels) {
  std::vector<double> p(bins.begin(), bins.begin() + static_cast<std::ptrdiff_t>(i)), q(i, 0.0);
  for (std::size_t k = i; k < bins.size(); ++k) p[i - 1] += bins[k];
  for (std::size_t level = 0; level < levels; ++level) {
    double sum = 0, filled = 0;
    for (std::size_t k = level * i / levels; k < (level + 1) * i / levels; ++k) sum += bins[k], filled += bins[k] > 0;
    for (std::size_t k = level * i / levels; k < (level + 1) * i / levels; ++k)
      if (bins[k] > 0) q[k] = sum / filled;
  }
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0), q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  double sum = 0;
  for (std::size_t k = 0; k < i; ++k) {
    if (p[k] == 0) continue;
    if (q[k] == 0) return -1;
    sum += p[k] / p_sum * std::log(p[k] / p_sum / (q[k] / q_sum));
  }
  return sum;
}

TEST(Calibrator, EntropyIsMigaczsThreshold) {
  for (const Case& one : cases()) {
    const ActivationHistogram seen = seen_of(one.values);
    std::vector<double> bins;
    for (float value : one.values) {
      const auto bin = static_cast<std::size_t>(std::fabs(static_cast<double>(value)) / seen.bin_width());
      if (bin >= bins.size()) bins.resize(bin + 1, 0.0);
      ++bins[bin];
    }
    ASSERT_GE(bins.size(), 2048u) << one.name;
    bins[0] = bins[1];
    const std::size_t levels = seen.min() >= 0 ? 256 : 128;
    double best = INFINITY, threshold = 0;
    for (std::size_t i = levels; i <= bins.size(); ++i) {
      const double now = plain_divergence(bins, i, levels);
      if (now >= 0 && now < best) best = now, threshold = static_cast<double>(i) * seen.bin_width();
    }
    const Range found = find_calibrator("entropy").range(seen, kAffine);
    EXPECT_DOUBLE_EQ(found.high, std::min(threshold, static_cast<double>(seen.max()))) << one.name;
    EXPECT_DOUBLE_EQ(found.low, std::max(-threshold, static_cast<double>(seen.min()))) << one.name;
  }
}

TEST(Calibrator, OutliersAreClipped) {
  const ActivationHistogram seen = seen_of(cases().back().values);
  EXPECT_EQ(find_calibrator("min-max").range(seen, kAffine).high, 60);
  // Not by mse: the square of one clipped outlier outweighs what 20000 small values lose by coarser steps.
  for (const char* name : {"entropy", "moving-average", "percentile"})
    EXPECT_LT(find_calibrator(name).range(seen, kAffine).high, 30) << name;
}

TEST(Calibrator, MovingAverageIsTheMeanOfTheBatches) {
  ActivationHistogram seen;
  for (float top : {1.0f, 2.0f, 6.0f}) ASSERT_TRUE(seen.add(std::vector<float>{-top, 0.5f, top}, false));
  const Range range = find_calibrator("moving-average").range(seen, kAffine);
  EXPECT_NEAR(range.high, 3, 1e-9);
  EXPECT_NEAR(range.low, -3, 1e-9);
}

TEST(Calibrator, EveryRowTakesConstantsAndFewValues) {
  for (const Calibrator* calibrator : calibrators())
    for (const std::vector<float>& values : {std::vector<float>{0, 0, 0}, {5, 5}, {-3}, {-1, 2}, {1e-40f}, {3e38f}})
      for (const nlohmann::json& options : {kAffine, kSymmetric}) {
        const Range range = calibrator->range(seen_of(values), options);
        EXPECT_TRUE(std::isfinite(range.low) && std::isfinite(range.high)) << calibrator->name << " " << values[0];
        EXPECT_LE(range.low, range.high) << calibrator->name << " " << values[0];
      }
}

}  // namespace
}  // namespace pare::compress
