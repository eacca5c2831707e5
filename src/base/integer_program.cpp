#include "base/integer_program.h"

#include <coin/Cbc_C_Interface.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "pare/error.h"

namespace pare {
namespace {

/// Columns of the program: a 0/1 variable for each alternative, with its share of the budget and a 1 in its group's row.
struct Columns {
  std::vector<CoinBigIndex> starts = {0};
  std::vector<int> rows;
  std::vector<double> values, costs;

  void add(int group, double share, double cost) {
    rows.insert(rows.end(), {0, group + 1});
    values.insert(values.end(), {share, 1.0});
    starts.push_back(static_cast<CoinBigIndex>(rows.size()));
    costs.push_back(cost);
  }
  int count() const { return static_cast<int>(costs.size()); }
};

/// Costs from 0 to kLargest, whatever their unit, so that the solver's tolerances fit.
Columns columns_of(const std::vector<std::vector<Alternative>>& groups, double budget) {
  constexpr double kLargest = 1e4;
  double largest = 0;
  for (const auto& group : groups)
    for (const Alternative& one : group)
      if (std::isfinite(one.cost)) largest = std::max(largest, one.cost);
  const double unit = largest > 0 ? kLargest / largest : 1;
  Columns columns;
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const Alternative& one : groups[g])
      columns.add(static_cast<int>(g), budget > 0 ? one.weight / budget : one.weight,
                  std::isfinite(one.cost) ? one.cost * unit : 10 * kLargest * static_cast<double>(groups.size()));
  return columns;
}

void require_possible(const std::vector<std::vector<Alternative>>& groups, double budget) {
  double least = 0;
  for (const auto& group : groups) {
    if (group.empty()) throw Error(ErrorCode::kInternal, "integer program", "a group without alternatives");
    least += std::min_element(group.begin(), group.end(), [](const auto& a, const auto& b) {
               return a.weight < b.weight;
             })->weight;
  }
  if (least > budget * (1 + 1e-9))
    throw Error(ErrorCode::kUsage, "budget", "is below what the smallest choices take", std::to_string(least),
                std::to_string(budget));
}

}  // namespace

std::vector<std::size_t> choose_within(const std::vector<std::vector<Alternative>>& groups, double budget) {
  require_possible(groups, budget);
  if (groups.empty()) return {};
  const Columns columns = columns_of(groups, budget);
  const int rows = static_cast<int>(groups.size()) + 1;
  std::vector<double> low(static_cast<std::size_t>(columns.count()), 0.0), high(low.size(), 1.0);
  std::vector<double> at_least(static_cast<std::size_t>(rows), 1.0), at_most(at_least);
  at_least[0] = 0;
  at_most[0] = budget > 0 ? 1 + 1e-9 : 0;
  const std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> model(Cbc_newModel(), &Cbc_deleteModel);
  Cbc_setParameter(model.get(), "logLevel", "0");
  Cbc_setParameter(model.get(), "allowableGap", "0");
  Cbc_setParameter(model.get(), "ratioGap", "0");
  Cbc_loadProblem(model.get(), columns.count(), rows, columns.starts.data(), columns.rows.data(),
                  columns.values.data(), low.data(), high.data(), columns.costs.data(), at_least.data(),
                  at_most.data());
  Cbc_setObjSense(model.get(), 1);
  for (int c = 0; c < columns.count(); ++c) Cbc_setInteger(model.get(), c);
  Cbc_solve(model.get());
  if (!Cbc_isProvenOptimal(model.get()))
    throw Error(ErrorCode::kInternal, "integer program", "the solver found no proven optimum");
  const double* solution = Cbc_getColSolution(model.get());
  std::vector<std::size_t> chosen;
  for (const auto& group : groups) {
    chosen.push_back(static_cast<std::size_t>(std::max_element(solution, solution + group.size()) - solution));
    solution += group.size();
  }
  return chosen;
}

}  // namespace pare
