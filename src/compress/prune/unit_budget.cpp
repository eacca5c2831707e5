#include "compress/prune/unit_budget.h"

namespace pare::compress {

BudgetResult meet_budget(UnitRule rule, double wanted, int steps, const std::function<double(const UnitRule&)>& cost) {
  constexpr double kLargest = 0.99;
  double low = 0, high = kLargest;
  rule.ratio = kLargest;
  BudgetResult best{rule, cost(rule), false};
  if (best.cost > wanted) return best;
  best.met = true;
  for (int step = 0; step < steps; ++step) {
    rule.ratio = (low + high) / 2;
    const double now = cost(rule);
    if (now <= wanted) {
      high = rule.ratio;
      best = {rule, now, true};
    } else {
      low = rule.ratio;
    }
  }
  return best;
}

}  // namespace pare::compress
