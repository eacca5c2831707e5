// The weights of a layer as optimal brain surgery sees them, and what it does with them (obs_update.h).
#pragma once

#include <span>
#include <vector>

#include "compress/prune/selection.h"

namespace pare::compress {

/// The rows (outputs) of one group of a layer; columns in the order of the Hessian.
struct ObsRows {
  /// Outputs [first, first + count) of the target. With `keep_zeros` its zeros are gone from the begin.
  ObsRows(const PruneTarget& target, bool keep_zeros, std::int64_t first, std::int64_t count);

  const ir::WeightView view;
  const std::int64_t first;
  const std::size_t count, n;   ///< rows and columns
  std::vector<double> weights;  ///< [column, row]
  std::vector<char> gone;       ///< the same

  std::size_t at(std::size_t column, std::size_t row) const { return column * count + row; }
  /// Position in the stored weight.
  std::size_t element(std::size_t column, std::size_t row) const {
    const auto c = static_cast<std::int64_t>(column);
    return static_cast<std::size_t>(
        view.index(first + static_cast<std::int64_t>(row), c / view.inputs, c % view.inputs));
  }
  void write(std::span<float> weight) const;
};

/// The columns of each block of the pattern; of one without blocks each column is a block. None crosses a tap.
std::vector<std::vector<std::size_t>> column_blocks(const ir::WeightView& view, const ir::SparsityPattern& pattern);

/// Sets in `scores`, which has the weight's layout, what the rows' squared output error becomes when a weight goes alone
/// and no other makes up for it, w²·H_jj; of a block that goes together w_BᵀH_BB·w_B divided by its size.
void obs_damage(const ObsRows& rows, const PruneRule& rule, std::span<const double> hessian, std::span<float> scores);

/// Algorithm 1 of SparseGPT for the rule's pattern, zeros of unstructured patterns chosen over `block` columns at once,
/// of all rows together or (scope output) of each. `u`: of H⁻¹ = UᵀU [n, n]. `update` false: only the zeros are chosen.
void obs_sweep(ObsRows& rows, const PruneRule& rule, std::int64_t block, std::span<const double> u, bool update);

/// Chooses the zeros by ExactOBS (Frantar & Alistarh, Optimal Brain Compression, 2022): each row loses one weight after
/// the other with the full `inverse` of the damped Hessian, and what goes of all rows is decided by what the next of
/// each costs (scope output: the same share of each goes). Of RxC blocks R rows lose one block after the other, of least w_Bᵀ(H⁻¹_BB)⁻¹w_B. The weights stay as
/// they were (obs_refit solves for them). Time n³ a row (for R rows, unless they have different zeros), memory n² a
/// thread and such row.
void obs_exact(ObsRows& rows, const PruneRule& rule, const std::vector<double>& inverse);

/// The least squares of each row's output over what stays, on the damped Hessian. `original`: [column, row]. Each row
/// solves a system of its survivors (H_SS·v = H_S·w) or of its zeros (w − H⁻¹_P·(H⁻¹_PP)⁻¹·w_P), whichever are fewer.
void obs_refit(ObsRows& rows, const std::vector<double>& damped, const std::vector<double>& original);

}  // namespace pare::compress
