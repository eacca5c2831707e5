#include "compress/quantize/soft_rounding.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace pare::compress {
namespace {

constexpr float kZeta = 1.1F, kGamma = -0.1F;

float sigmoid(float v) { return 1 / (1 + std::exp(-v)); }

/// What one step shares for all weights.
struct Step {
  float beta, pressure, rate, first, second;
};

Step step_of(int step, const SoftRoundingOptions& options) {
  const double done = static_cast<double>(step) / options.iterations;
  const bool warm = done < options.warm_up;
  const double along = warm ? 0 : (done - options.warm_up) / (1 - options.warm_up);
  const double cosine = 0.5 * (1 + std::cos(along * std::numbers::pi));
  return {static_cast<float>(options.last_beta + (options.first_beta - options.last_beta) * cosine),
          warm ? 0.0F : static_cast<float>(options.pressure), static_cast<float>(options.learning_rate),
          1 - std::pow(0.9F, static_cast<float>(step)), 1 - std::pow(0.999F, static_cast<float>(step))};
}

}  // namespace

float SoftRounding::rectified(float v) { return std::clamp(sigmoid(v) * (kZeta - kGamma) + kGamma, 0.0F, 1.0F); }

SoftRounding::SoftRounding(std::span<const GridWeight> weights, double low, double high) : low_(low), high_(high) {
  for (auto* part : {&floor_, &fraction_, &scale_, &v_}) part->reserve(weights.size());
  mean_.assign(weights.size(), 0.0F);
  square_.assign(weights.size(), 0.0F);
  for (const GridWeight& one : weights) {
    const double scaled = static_cast<double>(one.weight) / static_cast<double>(one.scale), down = std::floor(scaled);
    const bool fixed = one.weight == 0 || down + one.zero < low || down + 1 + one.zero > high;
    const double level = fixed ? std::clamp(std::nearbyint(scaled) + one.zero, low, high) - one.zero : down;
    const double h = std::clamp(scaled - level, 0.01, 0.99);
    const double s = (h - static_cast<double>(kGamma)) / static_cast<double>(kZeta - kGamma);
    floor_.push_back(static_cast<float>(level));
    fraction_.push_back(static_cast<float>(scaled - level));
    scale_.push_back(one.scale);
    zero_.push_back(one.zero);
    fixed_.push_back(fixed);
    v_.push_back(static_cast<float>(std::log(s / (1 - s))));
  }
}

void SoftRounding::move(std::size_t begin, std::size_t end, int step, const SoftRoundingOptions& options,
                        std::span<const float> slopes, float unit) {
  constexpr float kFirst = 0.9F, kSecond = 0.999F, kEpsilon = 1e-8F;
  const Step now = step_of(step, options);
  for (std::size_t i = begin; i < end; ++i) {
    if (fixed_[i]) continue;
    const float s = sigmoid(v_[i]), raw = s * (kZeta - kGamma) + kGamma, h = std::clamp(raw, 0.0F, 1.0F);
    const float sign = h > 0.5F ? 1.0F : -1.0F;
    float by_h = unit * slopes[i] * scale_[i];
    if (now.pressure > 0) by_h -= now.pressure * 2 * now.beta * std::pow(std::fabs(2 * h - 1), now.beta - 1) * sign;
    const float gradient = raw > 0 && raw < 1 ? by_h * s * (1 - s) * (kZeta - kGamma) : 0.0F;
    mean_[i] = kFirst * mean_[i] + (1 - kFirst) * gradient;
    square_[i] = kSecond * square_[i] + (1 - kSecond) * gradient * gradient;
    v_[i] -= now.rate * (mean_[i] / now.first) / (std::sqrt(square_[i] / now.second) + kEpsilon);
  }
}

std::int32_t SoftRounding::level(std::size_t i) const {
  const double up = !fixed_[i] && rectified(v_[i]) >= 0.5F ? 1 : 0;
  return static_cast<std::int32_t>(std::clamp(static_cast<double>(floor_[i]) + zero_[i] + up, low_, high_));
}

}  // namespace pare::compress
