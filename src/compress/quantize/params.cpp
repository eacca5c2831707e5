#include "compress/quantize/params.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pare::compress {
namespace {

/// As float, never below the smallest normal one: 1/scale must stay finite and subnormals are flushed by some
/// executors.
float usable(double scale) {
  constexpr double kSmallest = std::numeric_limits<float>::min() * 16.0;
  return static_cast<float>(std::clamp(scale, kSmallest, static_cast<double>(std::numeric_limits<float>::max())));
}

/// The smallest power of two that is no smaller; 0 stays 0.
double power_of_two_above(double scale) {
  int exponent = 0;
  const double fraction = std::frexp(scale, &exponent);
  return fraction == 0 ? 0 : std::ldexp(1.0, fraction == 0.5 ? exponent - 1 : exponent);
}

/// What a scale that must be at least `needed` becomes.
float scale_for(double needed, bool power_of_two) {
  return usable(power_of_two ? power_of_two_above(needed) : needed);
}

/// Weights that share a scale, and what the squared error of each counts.
struct Part {
  std::vector<float> weights, energy;
  std::vector<std::size_t> elements;
};

/// Scale and zero of weights that share them, over `share` of their range; scale 0 when all are 0.
passes::QuantParams part_params(const Part& part, const passes::QuantParams& like, double share, bool power_of_two) {
  passes::QuantParams params{.scale = {0}, .zero_point = {0}, .dtype = like.dtype, .bits = like.bits};
  const auto [least, most] = passes::integer_limits(params);
  double low = 0, high = 0;
  for (float w : part.weights) {
    low = std::min(low, static_cast<double>(w));
    high = std::max(high, static_cast<double>(w));
  }
  if (low == high) return params;
  if (least < 0) {
    params.scale[0] = scale_for(share * std::max(-low, high) / most, power_of_two);
    return params;
  }
  params.scale[0] = scale_for(share * (high - low) / most, power_of_two);
  params.zero_point[0] =
      static_cast<std::int32_t>(std::clamp(std::nearbyint(-share * low / static_cast<double>(params.scale[0])), 0.0, most));
  return params;
}

double rounding_error(const Part& part, const passes::QuantParams& params, const PartError& error) {
  const auto [least, most] = passes::integer_limits(params);
  const auto scale = static_cast<double>(params.scale[0]);
  const double inverse = 1 / scale, zero = params.zero_point[0];
  double sum = 0;
  std::vector<double> all;
  for (std::size_t i = 0; i < part.weights.size(); ++i) {
    const auto w = static_cast<double>(part.weights[i]);
    const double level = std::clamp(std::nearbyint(w * inverse) + zero, least, most);
    const double off = (level - zero) * scale - w;
    if (error) all.push_back(off);
    sum += part.energy.empty() ? off * off : off * off * static_cast<double>(part.energy[i]);
  }
  return error ? error(part.elements, all) : sum;
}

passes::QuantParams clipped_part(const Part& part, const passes::QuantParams& like, const PartError& error,
                                 bool power_of_two) {
  constexpr int kSteps = 50, kNarrowest = 20;
  passes::QuantParams best = part_params(part, like, 1, power_of_two);
  if (best.scale[0] == 0) return best;
  double least = rounding_error(part, best, error);
  for (int step = kSteps - 1; step >= kNarrowest; --step) {
    const passes::QuantParams now = part_params(part, like, static_cast<double>(step) / kSteps, power_of_two);
    const double found = rounding_error(part, now, error);
    if (found < least) least = found, best = now;
  }
  return best;
}

/// Of the params: those of a whole type are 0.
int bits_of(const ActivationSpec& spec) { return spec.bits < 8 ? spec.bits : 0; }

/// A grid of its own for every part.
passes::QuantParams params_of(const Tensor& weight, int output_axis, const WeightSpec& spec,
                              std::span<const float> energy, const PartError& error) {
  passes::QuantParams params;
  params.dtype = spec.symmetric ? DType::kInt8 : DType::kUint8;
  params.bits = spec.bits;
  if (const auto [low, high] = passes::integer_limits(params); !spec.bytes) params.dtype = passes::narrowest_type(low, high);
  if (spec.group > 0)
    params.axis = 1 - output_axis, params.block = spec.group;
  else if (spec.per_channel)
    params.axis = output_axis;
  const passes::ParamMap map(params, weight.dims());
  std::vector<Part> parts(map.count());
  const auto values = weight.data<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    Part& part = parts[map(i)];
    part.weights.push_back(values[i]);
    if (!energy.empty()) part.energy.push_back(energy[i]);
    if (error) part.elements.push_back(i);
  }
  float largest = 0;
  for (const Part& part : parts) {
    const bool clip = spec.clip() || error;
    const passes::QuantParams one = clip ? clipped_part(part, params, error, spec.power_of_two)
                                                 : part_params(part, params, 1, false);
    params.scale.push_back(one.scale[0]);
    params.zero_point.push_back(one.zero_point[0]);
    largest = std::max(largest, one.scale[0]);
  }
  for (float& scale : params.scale)
    if (scale == 0) scale = largest == 0 ? 1.0f : largest;
  return params;
}

}  // namespace

passes::QuantParams affine_params(Range range, const ActivationSpec& spec) {
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  const double most = std::ldexp(1, spec.bits) - 1;
  passes::QuantParams params{.dtype = spec.bits == 16 ? DType::kUint16 : DType::kUint8, .bits = bits_of(spec)};
  if (low == high) {
    params.scale = {1.0f};
    params.zero_point = {0};
    return params;
  }
  const float scale = scale_for((high - low) / most, spec.power_of_two);
  params.scale = {scale};
  params.zero_point = {
      static_cast<std::int32_t>(std::clamp(std::nearbyint(-low / static_cast<double>(scale)), 0.0, most))};
  return params;
}

passes::QuantParams symmetric_params(Range range, const ActivationSpec& spec) {
  const double magnitude = std::max(std::fabs(range.low), std::fabs(range.high));
  passes::QuantParams params{.dtype = spec.bits == 16 ? DType::kInt16 : DType::kInt8, .bits = bits_of(spec)};
  const double most = std::ldexp(1, spec.bits - 1) - 1;
  params.scale = {magnitude == 0 ? 1.0f : scale_for(magnitude / most, spec.power_of_two)};
  params.zero_point = {0};
  return params;
}

passes::QuantParams weight_params(const Tensor& weight, int output_axis, const WeightSpec& spec,
                                  std::span<const float> energy) {
  return params_of(weight, output_axis, spec, energy, {});
}

passes::QuantParams weight_params(const Tensor& weight, int output_axis, const WeightSpec& spec,
                                  const PartError& error) {
  return params_of(weight, output_axis, spec, {}, error);
}

int raise_for_bias(passes::QuantParams& weight, float input_scale, std::span<const float> bias, bool power_of_two) {
  constexpr double kLargest = 1 << 30;
  int raised = 0;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    float& scale = weight.scale[weight.scale.size() == 1 ? 0 : i];
    const double needed = std::fabs(static_cast<double>(bias[i])) / (kLargest * static_cast<double>(input_scale));
    if (needed <= static_cast<double>(scale)) continue;
    scale = scale_for(needed * (1 + 1e-6), power_of_two);  // the next float above may round down again
    ++raised;
  }
  return raised;
}

}  // namespace pare::compress
