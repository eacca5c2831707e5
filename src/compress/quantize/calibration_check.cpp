#include "compress/quantize/calibration_check.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "compress/calibration_samples.h"
#include "compress/quantize/val_metric.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

constexpr const char* kSubject = "quantize.calibration_check";

struct Ends {
  double least, most;
  void see(double value) { least = std::min(least, value), most = std::max(most, value); }
};

struct Bounds {
  Ends low, high;
  /// Of its ends, as a part of the widest range.
  double spread() const {
    const double width = high.most - low.least;
    return width > 0 ? std::max(low.most - low.least, high.most - high.least) / width : 0;
  }
};

std::size_t subset_size(std::size_t samples, double share) {
  return static_cast<std::size_t>(std::floor(share * static_cast<double>(samples)));
}

std::vector<std::int64_t> draw(const std::vector<std::int64_t>& samples, double share, std::uint64_t seed, int subset) {
  Rng rng(seed, kRngCalibration, static_cast<std::uint64_t>(subset) + 1);
  std::vector<std::int64_t> drawn = rng.permutation(static_cast<std::int64_t>(samples.size()));
  drawn.resize(subset_size(samples.size(), share));
  for (std::int64_t& at : drawn) at = samples[static_cast<std::size_t>(at)];
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

void see_ranges(const passes::QdqPlan& plan, std::map<std::string, Bounds>& bounds) {
  for (const auto& [value, params] : plan.activations) {
    const auto [least, most] = passes::integer_limits(params);
    const auto scale = static_cast<double>(params.scale[0]);
    const double low = (least - params.zero_point[0]) * scale, high = (most - params.zero_point[0]) * scale;
    Bounds& seen = bounds.try_emplace(value, Bounds{{low, low}, {high, high}}).first->second;
    seen.low.see(low);
    seen.high.see(high);
  }
}

json spread_of(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) squares += std::pow(value - sum / count, 2);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {{"least", *least},
          {"most", *most},
          {"mean", sum / count},
          {"deviation", values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0},
          {"all", values}};
}

json values_json(const std::map<std::string, Bounds>& bounds) {
  std::vector<std::pair<std::string, Bounds>> order(bounds.begin(), bounds.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second.spread() > b.second.spread(); });
  json values = json::array();
  for (const auto& [name, seen] : order)
    values.push_back({{"value", name},
                      {"low", {seen.low.least, seen.low.most}},
                      {"high", {seen.high.least, seen.high.most}},
                      {"spread", seen.spread()}});
  return values;
}

}  // namespace

Option calibration_check_option() {
  using enum OptionType;
  return {"calibration_check",
          kGroup,
          "null",
          "calibrates again on random parts of the calibration samples and reports how far ranges and results spread",
          {},
          {},
          {},
          {{"subsets", kInt, "5", "how often", {}, 2, 100},
           {"share", kFloat, "0.5", "of the calibration samples in each", {}, 0.01, 0.99}}};
}

void validate_calibration_check(const std::vector<StatisticsRequest>& requests, const StepContext& context) {
  const json& check = context.options.at("calibration_check");
  if (check.is_null()) return;
  const std::size_t samples = samples_of(requests, context).size();
  if (subset_size(samples, check.at("share")) == 0)
    throw Error(ErrorCode::kUsage, kSubject, "too few calibration samples to take a part of them",
                "more samples, or a larger share", std::to_string(samples));
}

void check_calibration(const ir::Model& floats, const std::vector<StatisticsRequest>& requests, const StaticWriter& writer,
                       const Choice& choice, const Probe& probe, StepContext& context) {
  constexpr std::int64_t kMost = 1000;
  const json& check = context.options.at("calibration_check");
  const std::vector<std::int64_t> samples = samples_of(requests, context);
  const ValMetric metric(context, kMost);
  const Placement placement = writer.place(choice.floats, choice.wide);
  std::map<std::string, Bounds> bounds;
  std::vector<double> snr, metrics;
  const int subsets = check.at("subsets");
  for (int subset = 0; subset < subsets; ++subset) {
    const std::vector<std::int64_t> drawn = draw(samples, check.at("share"), context.execution.seed, subset);
    const Statistics seen = gather_statistics(floats, requests, context, drawn);
    const StaticWriter again = writer.with(seen);
    int raised = 0;
    const passes::QdqPlan plan = again.plan(placement, *choice.calibrator, raised);
    see_ranges(plan, bounds);
    const ir::Model model = again.write(plan, placement.layers, choice.correct_bias);
    if (probe.usable()) snr.push_back(decibels(probe.noise(model)));
    if (metric.samples() > 0)
      metrics.push_back(metric.of(model, kSubject, "calibration check " + std::to_string(subset + 1)));
  }
  context.record["calibration_check"] = {
      {"subsets", subsets},
      {"samples", subset_size(samples.size(), check.at("share"))},
      {"snr_db", snr.empty() ? json(nullptr) : spread_of(snr)},
      {"metric", metrics.empty() ? json(nullptr) : spread_of(metrics)},
      {"metric_samples", metric.samples()},
      {"values", values_json(bounds)}};
}

}  // namespace pare::compress
