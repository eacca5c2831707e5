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

}  // namespace

passes::QuantParams affine_params(Range range) {
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  passes::QuantParams params{.dtype = DType::kUint8};
  if (low == high) {
    params.scale = {1.0f};
    params.zero_point = {0};
    return params;
  }
  const float scale = usable((high - low) / 255);
  params.scale = {scale};
  params.zero_point = {
      static_cast<std::int32_t>(std::clamp(std::nearbyint(-low / static_cast<double>(scale)), 0.0, 255.0))};
  return params;
}

passes::QuantParams symmetric_params(Range range) {
  const double magnitude = std::max(std::fabs(range.low), std::fabs(range.high));
  passes::QuantParams params{.dtype = DType::kInt8};
  params.scale = {magnitude == 0 ? 1.0f : usable(magnitude / 127)};
  params.zero_point = {0};
  return params;
}

passes::QuantParams weight_params(const Tensor& weight, const ir::WeightView& view, int output_axis, bool per_channel) {
  auto values = weight.data<float>();
  std::vector<double> largest(static_cast<std::size_t>(view.outputs), 0.0);
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t t = 0; t < view.taps; ++t)
      for (std::int64_t i = 0; i < view.inputs; ++i) {
        double magnitude = std::fabs(static_cast<double>(values[static_cast<std::size_t>(view.index(o, t, i))]));
        largest[static_cast<std::size_t>(o)] = std::max(largest[static_cast<std::size_t>(o)], magnitude);
      }
  const double overall = largest.empty() ? 0 : *std::max_element(largest.begin(), largest.end());
  const double fallback = overall == 0 ? 1.0 : overall / 127;
  passes::QuantParams params{.dtype = DType::kInt8, .axis = per_channel ? output_axis : -1};
  if (!per_channel) largest.assign(1, overall);
  for (double magnitude : largest) params.scale.push_back(usable(magnitude == 0 ? fallback : magnitude / 127));
  params.zero_point.assign(params.scale.size(), 0);
  return params;
}

int raise_for_bias(passes::QuantParams& weight, float input_scale, std::span<const float> bias) {
  constexpr double kLargest = 1 << 30;
  int raised = 0;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    float& scale = weight.scale[weight.scale.size() == 1 ? 0 : i];
    const double needed = std::fabs(static_cast<double>(bias[i])) / (kLargest * static_cast<double>(input_scale));
    if (needed <= static_cast<double>(scale)) continue;
    scale = usable(needed * (1 + 1e-6));  // the next float above may round down again
    ++raised;
  }
  return raised;
}

}  // namespace pare::compress
