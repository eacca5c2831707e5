#include "ir/ops/common/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace pare::ir::ops {
namespace {

/// Length of the output, fractional when a scale gives it; a whole one is free of the rounding of out / in · in.
double length(const ResizedAxis& axis) {
  const double width = axis.scale * static_cast<double>(axis.in), whole = std::round(width);
  return std::abs(width - whole) < 1e-9 * whole ? whole : width;
}

/// Input coordinate of output o. One division, at the end, so that coordinates that are whole come out whole.
double original(const TapRule& rule, const ResizedAxis& axis, std::int64_t o) {
  const double x = static_cast<double>(o), in = static_cast<double>(axis.in), width = length(axis);
  if (rule.transform == "align_corners") return width == 1 ? 0 : x * (in - 1) / (width - 1);
  if (rule.transform == "asymmetric") return x * in / width;
  if (rule.transform == "tf_half_pixel_for_nn") return (x + 0.5) * in / width;
  if (rule.transform == "tf_crop_and_resize") {
    const double extent = (axis.roi_end - axis.roi_start) * (in - 1);
    return axis.roi_start * (in - 1) + (width == 1 ? extent / 2 : x * extent / (width - 1));
  }
  if (rule.transform == "pytorch_half_pixel" && width == 1) return 0;
  const double half_pixel = (x + 0.5) * in / width - 0.5;
  if (rule.transform != "half_pixel_symmetric") return half_pixel;
  return half_pixel + in / 2 * (1 - static_cast<double>(axis.out) / width);
}

/// 0 or 1: which neighbour of a coordinate `ratio` past the left one is taken.
std::int64_t nearer(const std::string& mode, double ratio) {
  if (ratio == 1 || mode == "ceil") return 1;
  if (mode == "floor") return 0;
  return mode == "round_prefer_ceil" ? ratio >= 0.5 : ratio > 0.5;
}

/// Keys' cubic kernel (1981).
double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Weights of the inputs around a coordinate; `left` is the last input before it and ratio in (0, 1] its distance.
void interpolate(const TapRule& rule, const ResizedAxis& axis, std::int64_t left, double ratio, AxisTaps& taps) {
  const bool is_cubic = rule.mode == "cubic";
  const double stretch = rule.antialias ? std::min(axis.scale, 1.0) : 1.0, support = is_cubic ? 2 : 1;
  const auto begin = static_cast<std::int64_t>(std::floor(-support / stretch)) + 1;
  const std::int64_t end = 2 - begin;
  const std::size_t start = taps.weight.size();
  double sum = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    const double distance = stretch * (static_cast<double>(i) - ratio);
    double weight = is_cubic ? cubic(distance, rule.cubic_a) : std::max(0.0, 1 - std::abs(distance));
    const std::int64_t at = left + i;
    if (rule.exclude_outside && (at < 0 || at >= axis.in)) weight = 0;
    if (weight == 0) continue;
    taps.index.push_back(std::clamp<std::int64_t>(at, 0, axis.in - 1));
    taps.weight.push_back(weight);
    sum += weight;
  }
  if (rule.exclude_outside || rule.antialias) {
    for (std::size_t t = start; t < taps.weight.size(); ++t) taps.weight[t] /= sum;
  }
}

}  // namespace

AxisTaps make_taps(const TapRule& rule, const ResizedAxis& axis) {
  AxisTaps taps;
  const bool crops = rule.transform == "tf_crop_and_resize";
  taps.identity = axis.in == axis.out && axis.scale == 1 && (!crops || (axis.roi_start == 0 && axis.roi_end == 1)) &&
                  rule.transform != "tf_half_pixel_for_nn";
  if (taps.identity) return taps;
  taps.first.push_back(0);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    const double limit = static_cast<double>(axis.in) + 1, x = original(rule, axis, o);
    const bool outside = crops && !(x >= 0 && x <= static_cast<double>(axis.in) - 1);
    const double at = std::isnan(x) ? 0 : std::clamp(x, -limit, limit);
    const auto left = static_cast<std::int64_t>(std::ceil(at)) - 1;
    const double ratio = at - static_cast<double>(left);
    taps.outside.push_back(outside);
    if (rule.mode == "nearest") {
      taps.index.push_back(std::clamp<std::int64_t>(left + nearer(rule.nearest, ratio), 0, axis.in - 1));
      taps.weight.push_back(1);
    } else {
      interpolate(rule, axis, left, ratio, taps);
    }
    taps.first.push_back(static_cast<std::int64_t>(taps.index.size()));
  }
  return taps;
}

}  // namespace pare::ir::ops
