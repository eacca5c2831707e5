// Choosing one of several ways for each of many things under one budget, exactly: the multiple-choice knapsack as an
// integer program, solved by COIN-OR's branch and cut.
#pragma once

#include <cstddef>
#include <vector>

namespace pare {

struct Alternative {
  double cost = 0;    ///< to be kept low, ≥ 0
  double weight = 0;  ///< what it takes of the budget, ≥ 0
};

/// The index of the alternative taken in each group, so that Σ cost is least while Σ weight ≤ budget. An infinite cost is
/// one that is taken only where the budget leaves nothing else. Error(kUsage) when even the lightest alternatives are above
/// the budget; Error(kInternal) when the solver gives up.
std::vector<std::size_t> choose_within(const std::vector<std::vector<Alternative>>& groups, double budget);

}  // namespace pare
