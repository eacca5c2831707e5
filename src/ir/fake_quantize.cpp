#include "ir/fake_quantize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ir/op.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

constexpr std::array<std::pair<FakeScheme, std::string_view>, 6> kSchemes = {{{FakeScheme::kLsq, "lsq"},
                                                                              {FakeScheme::kFixed, "fixed"},
                                                                              {FakeScheme::kPact, "pact"},
                                                                              {FakeScheme::kDorefa, "dorefa"},
                                                                              {FakeScheme::kBinary, "binary"},
                                                                              {FakeScheme::kTernary, "ternary"}}};

/// Which index of the axis an element belongs to.
struct IndexMap {
  std::size_t inner = 1, length = 1;
  IndexMap(const FakeQuantizer& quantizer, const Dims& dims) {
    if (quantizer.axis < 0) return;
    const auto axis = static_cast<std::size_t>(quantizer.axis);
    if (axis >= dims.size())
      throw Error(ErrorCode::kBadInput, "FakeQuantize", "axis is out of range",
                  "less than " + std::to_string(dims.size()), std::to_string(axis));
    length = static_cast<std::size_t>(dims[axis]);
    for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= static_cast<std::size_t>(dims[i]);
  }
  std::size_t operator()(std::size_t element) const { return element / inner % length; }
};

std::vector<float> steps_of(const FakeQuantizer& quantizer, std::span<const float> scale, std::size_t count) {
  if (scale.size() != count)
    throw Error(ErrorCode::kBadInput, "FakeQuantize", "the number of scales does not fit", std::to_string(count),
                std::to_string(scale.size()));
  const bool share = quantizer.scheme == FakeScheme::kPact || quantizer.scheme == FakeScheme::kDorefa;
  std::vector<float> steps;
  for (const float s : scale)
    steps.push_back(std::max(s, kSmallestStep) / (share ? static_cast<float>(quantizer.high) : 1.0F));
  return steps;
}

void round_uniform(const FakeQuantizer& quantizer, std::span<const float> x, const IndexMap& at, FakeLevels& out) {
  const auto low = static_cast<double>(quantizer.low - out.zero_point),
             high = static_cast<double>(quantizer.high - out.zero_point);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float v = x[i] / out.steps[at(i)];
    out.levels[i] =
        std::isnan(v) ? 0 : static_cast<std::int32_t>(std::clamp(std::nearbyint(static_cast<double>(v)), low, high));
  }
}

void round_dorefa(const FakeQuantizer& quantizer, std::span<const float> w, FakeLevels& out) {
  double largest = 0;
  for (const float value : w) largest = std::max(largest, std::fabs(std::tanh(static_cast<double>(value))));
  const auto high = static_cast<double>(quantizer.high);
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (w[i] == 0) continue;
    const double unit = std::tanh(static_cast<double>(w[i])) / (2 * largest) + 0.5;
    out.levels[i] = static_cast<std::int32_t>(2 * std::nearbyint(unit * high) - high);
  }
}

/// Means of |w| over the weights whose magnitude is above `least` of their index; 0 where there are none.
std::vector<double> mean_magnitudes(std::span<const float> w, const IndexMap& at, std::span<const double> least) {
  std::vector<double> sums(at.length, 0), counts(at.length, 0);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double magnitude = std::fabs(static_cast<double>(w[i]));
    if (!(magnitude > least[at(i)])) continue;
    sums[at(i)] += magnitude;
    counts[at(i)] += 1;
  }
  for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = counts[c] > 0 ? sums[c] / counts[c] : 0;
  return sums;
}

void round_signs(std::span<const float> w, const IndexMap& at, bool ternary, FakeLevels& out) {
  std::vector<double> least(at.length, 0);
  if (ternary) {
    least = mean_magnitudes(w, at, least);
    for (double& value : least) value *= 0.7;
  }
  for (const double mean : mean_magnitudes(w, at, least))
    out.steps.push_back(std::max(static_cast<float>(mean), kSmallestStep));
  for (std::size_t i = 0; i < w.size(); ++i)
    if (std::fabs(static_cast<double>(w[i])) > least[at(i)]) out.levels[i] = w[i] > 0 ? 1 : -1;
}

}  // namespace

std::optional<FakeScheme> find_fake_scheme(std::string_view name) {
  for (const auto& [scheme, known] : kSchemes)
    if (known == name) return scheme;
  return std::nullopt;
}

std::string_view name(FakeScheme scheme) {
  return std::find_if(kSchemes.begin(), kSchemes.end(), [&](const auto& row) { return row.first == scheme; })->second;
}

bool derives_scale(FakeScheme scheme) { return scheme == FakeScheme::kBinary || scheme == FakeScheme::kTernary; }

FakeQuantizer fake_quantizer(const Node& node) {
  const auto fail = [&](const std::string& problem, const std::string& expected, const std::string& got) {
    throw Error(ErrorCode::kBadInput, describe(node), problem, expected, got);
  };
  FakeQuantizer out;
  const std::string scheme = node.string_or("scheme", "lsq");
  const auto found = find_fake_scheme(scheme);
  if (!found) fail("attribute 'scheme' is unknown", "lsq, fixed, pact, dorefa, binary or ternary", scheme);
  out.scheme = *found;
  out.low = node.int_or("low", out.low);
  out.high = node.int_or("high", out.high);
  out.axis = node.int_or("axis", out.axis);
  out.activation = node.int_or("activation", 0) != 0;
  constexpr std::int64_t kLargest = std::int64_t{1} << 31;
  if (!(out.low <= 0 && out.high > 0) || out.low < -kLargest || out.high >= kLargest)
    fail("attributes 'low' and 'high' are no range of integers around 0", "low ≤ 0 < high, within 32 bits",
         std::to_string(out.low) + " to " + std::to_string(out.high));
  if (out.axis < -1) fail("attribute 'axis' is out of range", "-1 or more", std::to_string(out.axis));
  return out;
}

void set_attributes(Node& node, const FakeQuantizer& quantizer) {
  node.set("scheme", std::string(name(quantizer.scheme)));
  node.set("low", quantizer.low);
  node.set("high", quantizer.high);
  if (quantizer.axis >= 0) node.set("axis", quantizer.axis);
  if (quantizer.activation) node.set("activation", std::int64_t{1});
}

FakeLevels fake_levels(const FakeQuantizer& quantizer, const Tensor& x, std::span<const float> scale,
                       std::optional<float> offset) {
  const IndexMap at(quantizer, x.dims());
  const auto values = x.data<float>();
  FakeLevels out;
  out.levels.assign(values.size(), 0);
  if (derives_scale(quantizer.scheme)) {
    round_signs(values, at, quantizer.scheme == FakeScheme::kTernary, out);
    return out;
  }
  out.steps = steps_of(quantizer, scale, at.length);
  if (offset)
    out.zero_point =
        static_cast<std::int32_t>(std::clamp(std::nearbyint(static_cast<double>(-*offset / out.steps[0])),
                                             static_cast<double>(quantizer.low), static_cast<double>(quantizer.high)));
  if (quantizer.scheme == FakeScheme::kDorefa)
    round_dorefa(quantizer, values, out);
  else
    round_uniform(quantizer, values, at, out);
  return out;
}

}  // namespace pare::ir
