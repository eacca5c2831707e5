// How large a share of the channels has to go until a cost is met.
#pragma once

#include <functional>

#include "compress/prune/unit_selection.h"

namespace pare::compress {

struct BudgetResult {
  UnitRule rule;
  double cost = 1;   ///< with that rule, as a share of the cost before
  bool met = false;  ///< false: the rule is the one that came nearest
};

/// Bisects rule.ratio for the smallest that brings `cost` (a share of the original's; falls as the ratio grows, but for
/// rounding) to `wanted` or below. `steps` evaluations of the cost at most, besides that of the largest ratio.
BudgetResult meet_budget(UnitRule rule, double wanted, int steps, const std::function<double(const UnitRule&)>& cost);

}  // namespace pare::compress
