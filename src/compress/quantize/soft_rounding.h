// Weights between two levels of their grid, and the learning of which to take: what AdaRound and BRECQ share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pare::compress {

struct SoftRoundingOptions {
  int iterations = 1000;       ///< of Adam
  double learning_rate = 0.03;
  double pressure = 4;         ///< λ of the regularizer: 2 to 32 give the same within 3 %
  double warm_up = 0.2;        ///< share of the iterations without the regularizer
  double first_beta = 20, last_beta = 2;
};

/// A weight on its grid.
struct GridWeight {
  float weight, scale;
  std::int32_t zero;
};

/// Ŵ = s·(⌊W/s⌋ + h(V)) with h(V) = clip(σ(V)(ζ − γ) + γ, 0, 1), ζ = 1.1, γ = −0.1, from h(V) = W/s − ⌊W/s⌋ on (AdaRound,
/// Nagel et al. 2020, equation 23). Weights beyond the grid and exact zeros have nothing to learn.
class SoftRounding {
 public:
  SoftRounding(std::span<const GridWeight> weights, double low, double high);

  std::size_t size() const noexcept { return v_.size(); }
  /// ŵ − w.
  float error(std::size_t i) const { return ((fixed_[i] ? 0.0F : rectified(v_[i])) - fraction_[i]) * scale_[i]; }
  /// One step of Adam (Kingma & Ba 2015) on the weights [begin, end), `step` from 1: `slopes` is the error's gradient by ŵ
  /// times `unit`; to it comes that of λ·(1 − |2h − 1|^β), β falling along a cosine.
  void move(std::size_t begin, std::size_t end, int step, const SoftRoundingOptions& options,
            std::span<const float> slopes, float unit);
  /// Up where h ≥ ½.
  std::int32_t level(std::size_t i) const;

 private:
  static float rectified(float v);

  double low_, high_;
  std::vector<float> floor_, fraction_, scale_, v_, mean_, square_;
  std::vector<std::int32_t> zero_;
  std::vector<std::uint8_t> fixed_;
};

}  // namespace pare::compress
