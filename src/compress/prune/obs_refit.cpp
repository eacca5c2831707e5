// The best weights for given zeros, row by row (obs_rows.h).
#include <atomic>

#include "base/linear_algebra.h"
#include "base/threads.h"
#include "compress/prune/obs_rows.h"

namespace pare::compress {
namespace {

/// Memory that one thread uses again for each of its rows.
struct Scratch {
  std::vector<std::size_t> stay, go;
  std::vector<double> matrix, right;
  std::vector<float> factor;

  /// The upper half of `from` [n, n] on `picked` × `picked`.
  std::span<double> submatrix(const std::vector<double>& from, std::size_t n, const std::vector<std::size_t>& picked) {
    const std::size_t size = picked.size();
    if (matrix.size() < size * size) matrix.resize(size * size);
    for (std::size_t i = 0; i < size; ++i) {
      const double* line = &from[picked[i] * n];
      for (std::size_t k = i; k < size; ++k) matrix[i * size + k] = line[picked[k]];
    }
    return std::span(matrix).first(size * size);
  }

  /// right ← A⁻¹·right.
  void solve(std::span<double> a) {
    constexpr std::size_t kLarge = 256;  // columns from which a factor in float and its corrections take less time
    const auto size = static_cast<std::int64_t>(right.size());
    if (right.size() >= kLarge) {
      if (factor.size() < a.size()) factor.resize(a.size());
      if (solve_positive_refined(a, size, std::span(factor).first(a.size()), right)) return;
    }
    solve_positive_in_place(a, size, right, 1);
  }
};

class Refit {
 public:
  Refit(ObsRows& rows, const std::vector<double>& damped, const std::vector<double>& original)
      : rows_(rows), damped_(damped), original_(original), products_(rows.n * rows.count, 0.0) {
    const auto n = static_cast<std::int64_t>(rows.n), count = static_cast<std::int64_t>(rows.count);
    subtract_product(damped.data(), n, original.data(), count, products_.data(), count, n, count, n);  // −H·W
    std::size_t zeros = 0;
    for (char gone : rows.gone) zeros += gone ? 1 : 0;
    if (2 * zeros < rows.gone.size()) inverse_ = inverse_of_positive(damped, n);
  }

  void run() {
    std::atomic<std::size_t> next = 0;  // rows differ in how many weights stay
    const auto count = static_cast<std::int64_t>(rows_.count);
    parallel_for(count, 1, [&](std::int64_t, std::int64_t) {
      Scratch scratch;
      for (std::size_t row = next++; row < rows_.count; row = next++) solve(row, scratch);
    });
  }

 private:
  void solve(std::size_t row, Scratch& scratch) {
    scratch.stay.clear();
    scratch.go.clear();
    for (std::size_t j = 0; j < rows_.n; ++j) (rows_.gone[rows_.at(j, row)] ? scratch.go : scratch.stay).push_back(j);
    if (!inverse_.empty() && scratch.go.size() < scratch.stay.size())
      from_zeros(row, scratch);
    else
      from_survivors(row, scratch);
  }

  void from_survivors(std::size_t row, Scratch& scratch) {
    const std::vector<std::size_t>& stay = scratch.stay;
    scratch.right.resize(stay.size());
    for (std::size_t i = 0; i < stay.size(); ++i) scratch.right[i] = -products_[rows_.at(stay[i], row)];
    scratch.solve(scratch.submatrix(damped_, rows_.n, stay));
    for (std::size_t i = 0; i < stay.size(); ++i) rows_.weights[rows_.at(stay[i], row)] = scratch.right[i];
  }

  void from_zeros(std::size_t row, Scratch& scratch) {
    const std::vector<std::size_t>& go = scratch.go;
    scratch.right.resize(go.size());
    for (std::size_t i = 0; i < go.size(); ++i) scratch.right[i] = original_[rows_.at(go[i], row)];
    scratch.solve(scratch.submatrix(inverse_, rows_.n, go));
    for (std::size_t j : scratch.stay) {
      double change = 0;
      for (std::size_t i = 0; i < go.size(); ++i) change += inverse_[j * rows_.n + go[i]] * scratch.right[i];
      rows_.weights[rows_.at(j, row)] = original_[rows_.at(j, row)] - change;
    }
  }

  ObsRows& rows_;
  const std::vector<double>&damped_, &original_;
  std::vector<double> products_;  ///< −H·W [column, row]
  std::vector<double> inverse_;   ///< of H; empty where no row has fewer zeros than survivors, roughly
};

}  // namespace

void obs_refit(ObsRows& rows, const std::vector<double>& damped, const std::vector<double>& original) {
  Refit(rows, damped, original).run();
}

}  // namespace pare::compress
