// Σ x xᵀ over rows that come in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/linear_algebra.h"

namespace pare::compress {

/// Collects rows until there are enough for a product: adding a product of few rows to the sum costs more than the
/// product itself (49 positions of a 7×7 map against 4608 columns).
class GramSum {
 public:
  /// Adds to `sum` [columns, columns], which must outlive this and be zero or a sum already.
  GramSum(std::int64_t columns, std::span<double> sum) : columns_(columns), sum_(sum) {}

  /// fill(first, count, out): rows [first, first + count) of the piece into out [count, columns].
  using Fill = std::function<void(std::int64_t first, std::int64_t count, std::span<float> out)>;
  void add(std::int64_t rows, const Fill& fill) {
    rows_.resize(static_cast<std::size_t>(kRows * columns_));
    for (std::int64_t done = 0; done < rows;) {
      const std::int64_t count = std::min(rows - done, kRows - filled_);
      fill(done, count, std::span(rows_).subspan(at(filled_), at(count)));
      done += count;
      filled_ += count;
      if (filled_ == kRows) flush();
    }
  }

  /// Both halves of the sum, complete; frees the rows.
  void finish() {
    flush();
    rows_ = {};
    mirror_upper(sum_, columns_);
  }

 private:
  static constexpr std::int64_t kRows = 1024;

  std::size_t at(std::int64_t row) const { return static_cast<std::size_t>(row * columns_); }
  void flush() {
    if (filled_ > 0) add_gram(std::span(rows_).first(at(filled_)), filled_, columns_, sum_);
    filled_ = 0;
  }

  std::int64_t columns_, filled_ = 0;
  std::span<double> sum_;
  std::vector<float> rows_;
};

}  // namespace pare::compress
