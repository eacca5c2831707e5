// Σ x² by column over rows that come in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/layerwise/gram_sum.h"

namespace pare::compress {

/// The diagonal of what a GramSum adds up.
class EnergySum {
 public:
  /// Adds to `sum` [columns], which must outlive this.
  EnergySum(std::int64_t columns, std::span<double> sum) : columns_(columns), sum_(sum) {}

  void add(std::int64_t rows, const GramSum::Fill& fill) {
    constexpr std::int64_t kRows = 256;
    rows_.resize(static_cast<std::size_t>(std::min(rows, kRows) * columns_));
    for (std::int64_t done = 0; done < rows; done += kRows) {
      const std::int64_t count = std::min(rows - done, kRows);
      const auto piece = std::span(rows_).first(static_cast<std::size_t>(count * columns_));
      fill(done, count, piece);
      for (std::size_t at = 0; at < piece.size(); at += sum_.size())
        for (std::size_t j = 0; j < sum_.size(); ++j)
          sum_[j] += static_cast<double>(piece[at + j]) * static_cast<double>(piece[at + j]);
    }
  }

  void finish() { rows_ = {}; }

 private:
  std::int64_t columns_;
  std::span<double> sum_;
  std::vector<float> rows_;
};

}  // namespace pare::compress
