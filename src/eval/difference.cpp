#include "eval/difference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/float16.h"
#include "pare/error.h"

namespace pare::eval {

void Difference::add(const Tensor& a, const Tensor& b) {
  if (a.numel() != b.numel())
    throw Error(ErrorCode::kInternal, "comparison", "tensors of different sizes", to_string(a.dims()),
                to_string(b.dims()));
  const Tensor x = cast(a, DType::kFloat32), y = cast(b, DType::kFloat32);
  const std::span<const float> xs = x.data<float>(), ys = y.data<float>();
  elements_ += x.numel();
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const double u = xs[i], v = ys[i], error = std::abs(u - v);
    if (!std::isfinite(u) || !std::isfinite(v)) {
      mismatched_ += u == v || (std::isnan(u) && std::isnan(v)) ? 0 : 1;
      continue;
    }
    if (finite_++ == 0) {
      min_a_ = max_a_ = u;
      min_b_ = max_b_ = v;
    }
    signal_ += u * u;
    other_ += v * v;
    product_ += u * v;
    noise_ += error * error;
    error_ += error;
    max_error_ = std::max(max_error_, error);
    min_a_ = std::min(min_a_, u);
    max_a_ = std::max(max_a_, u);
    min_b_ = std::min(min_b_, v);
    max_b_ = std::max(max_b_, v);
  }
}

std::optional<double> Difference::snr_db() const {
  if (noise_ == 0) return std::nullopt;
  if (signal_ == 0) return -std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal_ / noise_);
}

double Difference::mean_error() const { return finite_ > 0 ? error_ / static_cast<double>(finite_) : 0; }

std::optional<double> Difference::cosine() const {
  if (signal_ == 0 || other_ == 0) return std::nullopt;
  return std::clamp(product_ / (std::sqrt(signal_) * std::sqrt(other_)), -1.0, 1.0);
}

}  // namespace pare::eval
