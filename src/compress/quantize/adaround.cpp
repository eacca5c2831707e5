#include "compress/quantize/adaround.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/linear_algebra.h"
#include "base/threads.h"

namespace pare::compress {
namespace {

constexpr float kZeta = 1.1F, kGamma = -0.1F;

/// Outputs of one group that are learned together; everything is [rows, columns].
class Rows {
 public:
  Rows(const RoundedLayer& layer, std::int64_t first, std::int64_t count, std::span<const double> nearest_errors)
      : layer_(layer), first_(first), n_(layer.columns()), rows_(static_cast<std::size_t>(count)) {
    const std::size_t size = rows_ * n_;
    for (auto* part : {&floor_, &fraction_, &scale_, &v_, &mean_, &square_, &off_}) part->assign(size, 0.0F);
    fixed_.assign(size, 0);
    for (std::size_t r = 0; r < rows_; ++r) {
      const double error = nearest_errors[static_cast<std::size_t>(first) + r];
      unit_.push_back(error > 0 ? static_cast<float>(static_cast<double>(n_) / error) : 0.0F);
      for (std::size_t j = 0; j < n_; ++j) start(r, j);
    }
  }

  void learn(const AdaRoundOptions& options, std::span<const float> hessian, bool alone,
             const std::function<void()>& tick) {
    std::vector<float> slopes(rows_ * n_);
    for (int step = 1; step <= options.iterations; ++step) {
      if (tick) tick();
      each_row(alone, [&](std::size_t r) { find_errors(r); });
      multiply(off_, hessian, static_cast<std::int64_t>(rows_), static_cast<std::int64_t>(n_),
               static_cast<std::int64_t>(n_), slopes);
      each_row(alone, [&](std::size_t r) { move(r, step, options, slopes); });
    }
  }

  /// Up where h ≥ ½.
  void write(std::span<std::int32_t> integers) const {
    const auto [low, high] = passes::integer_limits(layer_.params);
    for (std::size_t r = 0; r < rows_; ++r)
      for (std::size_t j = 0; j < n_; ++j) {
        const std::size_t i = r * n_ + j, at = element(r, j);
        if (layer_.weight[at] == 0) continue;
        const double level = static_cast<double>(floor_[i]) + layer_.zero(at) + (fixed_[i] || rectified(v_[i]) < 0.5F ? 0 : 1);
        integers[at] = static_cast<std::int32_t>(std::clamp(level, low, high));
      }
  }

 private:
  std::size_t element(std::size_t r, std::size_t j) const {
    return layer_.element(first_ + static_cast<std::int64_t>(r), j);
  }
  static float sigmoid(float v) { return 1 / (1 + std::exp(-v)); }
  static float rectified(float v) { return std::clamp(sigmoid(v) * (kZeta - kGamma) + kGamma, 0.0F, 1.0F); }

  /// A weight beyond the grid, or exactly zero, has nothing to learn.
  void start(std::size_t r, std::size_t j) {
    const auto [low, high] = passes::integer_limits(layer_.params);
    const std::size_t i = r * n_ + j, at = element(r, j);
    const double scaled = static_cast<double>(layer_.weight[at]) / layer_.scale(at), down = std::floor(scaled);
    const double zero = layer_.zero(at);
    scale_[i] = static_cast<float>(layer_.scale(at));
    fixed_[i] = layer_.weight[at] == 0 || down + zero < low || down + 1 + zero > high;
    const double level = fixed_[i] ? std::clamp(std::nearbyint(scaled) + zero, low, high) - zero : down;
    floor_[i] = static_cast<float>(level);
    fraction_[i] = static_cast<float>(scaled - level);
    const double h = std::clamp(scaled - level, 0.01, 0.99);
    const double s = (h - static_cast<double>(kGamma)) / static_cast<double>(kZeta - kGamma);
    v_[i] = static_cast<float>(std::log(s / (1 - s)));
  }

  template <class Body>
  void each_row(bool alone, const Body& body) const {
    const auto count = static_cast<std::int64_t>(rows_);
    parallel_for(count, alone ? 4 : count, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) body(static_cast<std::size_t>(r));
    });
  }

  void find_errors(std::size_t r) {
    for (std::size_t i = r * n_; i < (r + 1) * n_; ++i)
      off_[i] = ((fixed_[i] ? 0 : rectified(v_[i])) - fraction_[i]) * scale_[i];
  }

  /// One step of Adam (Kingma & Ba 2015).
  void move(std::size_t r, int step, const AdaRoundOptions& options, std::span<const float> slopes) {
    constexpr float kFirst = 0.9F, kSecond = 0.999F, kEpsilon = 1e-8F;
    const double done = static_cast<double>(step) / options.iterations;
    const bool warm = done < options.warm_up;
    const double along = warm ? 0 : (done - options.warm_up) / (1 - options.warm_up);
    const auto beta = static_cast<float>(
        options.last_beta + (options.first_beta - options.last_beta) * 0.5 * (1 + std::cos(along * std::numbers::pi)));
    const auto pressure = warm ? 0.0F : static_cast<float>(options.pressure);
    const float first = 1 - std::pow(kFirst, static_cast<float>(step)),
                second = 1 - std::pow(kSecond, static_cast<float>(step));
    const auto rate = static_cast<float>(options.learning_rate);
    for (std::size_t i = r * n_; i < (r + 1) * n_; ++i) {
      if (fixed_[i]) continue;
      const float s = sigmoid(v_[i]), raw = s * (kZeta - kGamma) + kGamma, h = std::clamp(raw, 0.0F, 1.0F);
      const float inner = std::fabs(2 * h - 1), sign = h > 0.5F ? 1.0F : -1.0F;
      const float by_h = 2 * unit_[r] * slopes[i] * scale_[i] -
                         (pressure > 0 ? pressure * 2 * beta * std::pow(inner, beta - 1) * sign : 0.0F);
      const float gradient = raw > 0 && raw < 1 ? by_h * s * (1 - s) * (kZeta - kGamma) : 0.0F;
      mean_[i] = kFirst * mean_[i] + (1 - kFirst) * gradient;
      square_[i] = kSecond * square_[i] + (1 - kSecond) * gradient * gradient;
      v_[i] -= rate * (mean_[i] / first) / (std::sqrt(square_[i] / second) + kEpsilon);
    }
  }

  const RoundedLayer& layer_;
  std::int64_t first_;
  std::size_t n_, rows_;
  std::vector<float> floor_, fraction_, scale_, v_, mean_, square_, off_, unit_;
  std::vector<std::uint8_t> fixed_;
};

}  // namespace

std::vector<std::int32_t> adaround(const RoundedLayer& layer, const AdaRoundOptions& options,
                                   const std::function<void()>& tick) {
  constexpr std::size_t kElements = std::size_t{1} << 22;  // that are learned together: 150 MB
  const std::vector<std::int32_t> nearest = nearest_levels(layer);
  const std::vector<double> before = output_errors(layer, nearest);
  std::vector<std::int32_t> learned = nearest;
  const std::int64_t outputs = layer.outputs_of_group();
  const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(kElements / layer.columns()));
  const auto learn_group = [&](std::int64_t g, bool alone) {
    const auto own = layer.hessian_of(g);
    const std::vector<float> hessian(own.begin(), own.end());
    for (std::int64_t first = 0; first < outputs; first += most) {
      Rows rows(layer, g * outputs + first, std::min(most, outputs - first), before);
      rows.learn(options, hessian, alone, tick);
      rows.write(learned);
    }
  };
  if (layer.groups == 1) learn_group(0, true);
  else
    parallel_for(layer.groups, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t g = begin; g < end; ++g) learn_group(g, false);
    });
  const std::vector<double> after = output_errors(layer, learned);
  for (std::int64_t o = 0; o < layer.view.outputs; ++o) {
    if (after[static_cast<std::size_t>(o)] < before[static_cast<std::size_t>(o)]) continue;
    for (std::size_t j = 0; j < layer.columns(); ++j) learned[layer.element(o, j)] = nearest[layer.element(o, j)];
  }
  return learned;
}

}  // namespace pare::compress
