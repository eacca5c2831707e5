// How far one tensor is from another, over a stream of pairs.
#pragma once

#include <cstdint>
#include <optional>

#include "pare/tensor.h"

namespace pare::eval {

/// Adds pairs of tensors with as many elements each; a is what b should be. Elements that are not finite count only
/// where the two differ, and then as `mismatched`.
class Difference {
 public:
  /// Throws Error(kUnsupported) for types that are not numbers, Error(kInternal) when the sizes differ.
  void add(const Tensor& a, const Tensor& b);

  std::int64_t elements() const noexcept { return elements_; }
  std::int64_t mismatched() const noexcept { return mismatched_; }
  bool identical() const noexcept { return noise_ == 0 && mismatched_ == 0; }
  /// 10·log10(Σa² / Σ(a−b)²); unset when identical, −infinity when b is not zero where all of a is.
  std::optional<double> snr_db() const;
  double max_error() const noexcept { return max_error_; }
  double mean_error() const;  ///< mean of |a − b|
  /// Σab / √(Σa²·Σb²); unset when either is zero throughout.
  std::optional<double> cosine() const;
  double min_a() const noexcept { return min_a_; }
  double max_a() const noexcept { return max_a_; }
  double min_b() const noexcept { return min_b_; }
  double max_b() const noexcept { return max_b_; }

 private:
  std::int64_t elements_ = 0, finite_ = 0, mismatched_ = 0;
  double signal_ = 0, other_ = 0, product_ = 0, noise_ = 0, error_ = 0, max_error_ = 0;
  double min_a_ = 0, max_a_ = 0, min_b_ = 0, max_b_ = 0;
};

}  // namespace pare::eval
