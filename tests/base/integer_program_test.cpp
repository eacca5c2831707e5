#include "base/integer_program.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "pare/error.h"

namespace pare {
namespace {

using Groups = std::vector<std::vector<Alternative>>;

double best_by_trying_all(const Groups& groups, double budget, std::size_t from = 0) {
  if (budget < 0) return std::numeric_limits<double>::infinity();
  if (from == groups.size()) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (const Alternative& one : groups[from])
    best = std::min(best, one.cost + best_by_trying_all(groups, budget - one.weight, from + 1));
  return best;
}

TEST(IntegerProgram, FindsWhatTryingAllFinds) {
  Rng rng(7, kRngTest);
  for (int round = 0; round < 40; ++round) {
    Groups groups(6);
    double heaviest = 0, lightest = 0;
    for (auto& group : groups) {
      for (int bits = 1; bits <= 4; ++bits)  // noises fall by decades, as they do with bits
        group.push_back({std::pow(10.0, -bits + rng.normal()), bits * (10 + std::floor(std::fabs(rng.normal()) * 40))});
      auto by_weight = [](const Alternative& a, const Alternative& b) { return a.weight < b.weight; };
      lightest += std::min_element(group.begin(), group.end(), by_weight)->weight;
      heaviest += std::max_element(group.begin(), group.end(), by_weight)->weight;
    }
    const double budget = lightest + (heaviest - lightest) * 0.1 * (1 + round % 8);
    const std::vector<std::size_t> chosen = choose_within(groups, budget);
    ASSERT_EQ(chosen.size(), groups.size());
    double cost = 0, weight = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) cost += groups[g][chosen[g]].cost, weight += groups[g][chosen[g]].weight;
    EXPECT_LE(weight, budget * (1 + 1e-8));
    EXPECT_NEAR(cost, best_by_trying_all(groups, budget), 1e-5 * cost) << round;
  }
}

TEST(IntegerProgram, InfiniteCostsAreTheLastResort) {
  const double never = std::numeric_limits<double>::infinity();
  const Groups groups = {{{never, 1}, {1, 5}}, {{0.5, 1}, {0.1, 5}}};
  EXPECT_EQ(choose_within(groups, 6), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(choose_within(groups, 2), (std::vector<std::size_t>{0, 0}));
}

TEST(IntegerProgram, ABudgetBelowTheLightestIsRefused) {
  try {
    choose_within({{{1, 4}, {0, 8}}}, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace pare
